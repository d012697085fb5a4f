// What of the model is on the screen, and what keys do to it.
//
// Knows the model and the terminal; not where readings come from. Not thread-safe.
#ifndef UNCLOSED_CLI_TOP_SCREEN_H
#define UNCLOSED_CLI_TOP_SCREEN_H

#include "cli/top/columns.h"
#include "cli/top/model.h"

enum top_page { TOP_PAGE_SITES = 0, TOP_PAGE_SITE, TOP_PAGE_HELP };

struct top_screen {
    struct top_model *model;
    uint64_t interval_ns;
    uint64_t read_realtime; // when the last reading was made, CLOCK_REALTIME
    bool frozen;
    bool redraw; // all, for something else may have written to the terminal

    enum top_page page;
    size_t scroll; // first line shown of a page that is not TOP_PAGE_SITES
    bool stack;    // the pane is shown
    bool all_frames;

    enum top_key key;
    bool reversed;

    char selected[24]; // the site that the selection follows; "": it stays on the first row
    size_t row;        // the selected one; set when drawing
    size_t first;      // the first row shown
    size_t fitting;    // rows that fit; set when drawing

    bool typing; // the filter
    char filter[64];
};

void top_screen_draw(struct top_screen *screen);

enum top_wish { TOP_GO_ON = 0, TOP_READ_NOW, TOP_QUIT };
// What a key (see top_terminal_key) does.
enum top_wish top_screen_key(struct top_screen *screen, uint32_t key);

#endif
