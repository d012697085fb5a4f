// What is said about one site, or about keys, as lines of text: the stack pane, the page of a site,
// the page of help.
//
// Knows the model; not where it is shown. Not thread-safe.
#ifndef UNCLOSED_CLI_TOP_LINES_H
#define UNCLOSED_CLI_TOP_LINES_H

#include "cli/top/model.h"
#include "report/render/text/sheet.h"

struct top_line {
    enum sheet_style style;
    const char *text;
};
typedef LIST(struct top_line) top_lines;

// The lines live as long as the arena and the snapshot's profile.
// Adds the code and the stack of the acquire, innermost frame first; where the object was created,
// if elsewhere. all_frames: also those of libraries and interpreters.
void top_lines_stack(struct arena *arena, const struct top_snapshot *snapshot, struct top_row *row,
                     bool all_frames, top_lines *lines);
// Adds all about a site: its numbers, its stack, and who holds its sessions, oldest first.
void top_lines_site(struct arena *arena, const struct top_snapshot *snapshot, struct top_row *row,
                    bool all_frames, top_lines *lines);
void top_lines_help(struct arena *arena, top_lines *lines);

#endif
