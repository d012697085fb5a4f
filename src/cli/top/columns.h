// The columns of `unclosed top`: which fit, what they are called, what is in a cell. The same for
// the screen and for a snapshot that is printed.
//
// Knows the model; not where it is shown. Not thread-safe.
#ifndef UNCLOSED_CLI_TOP_COLUMNS_H
#define UNCLOSED_CLI_TOP_COLUMNS_H

#include "cli/top/model.h"
#include "report/render/text/sheet.h"

enum { TOP_COLUMNS_MOST = TOP_KEYS + 1 };

struct top_column {
    const char *title;
    unsigned width; // in columns of the terminal; that of names is what is left
    char letter;    // of the key that sorts by it
    bool left;      // texts; numbers stand on the right
    int key;        // enum top_key; TOP_KEYS: nothing to sort by
};

struct top_layout {
    const struct top_column *column[TOP_COLUMNS_MOST];
    unsigned width[TOP_COLUMNS_MOST];
    unsigned count;
};

// What fits into `columns` columns of a terminal, in the order in which it is shown.
struct top_layout top_layout_fit(unsigned columns);

// The column to sort by next to the one sorted by now, of those shown; step: 1 or -1.
enum top_key top_layout_next(const struct top_layout *layout, enum top_key key, int step);

const struct top_column *top_column_by_letter(char letter); // NULL: none

// The text of a title or cell, as wide as the column is in the layout (names may be longer if
// `width` is 0), and how it looks.
const char *top_title(struct arena *arena, const struct top_column *column, unsigned width,
                      bool sorted, bool reversed);
const char *top_cell(struct arena *arena, const struct top_snapshot *snapshot, struct top_row *row,
                     const struct top_column *column, unsigned width, enum sheet_style *style);

// The columns of pools: their titles, or one pool, `columns` wide (at least 40).
const char *top_pool_titles(struct arena *arena, unsigned columns);
struct top_pool_line { // parts that follow each other
    const char *name, *bar, *numbers;
    enum sheet_style bar_style, numbers_style;
};
struct top_pool_line top_pool_line(struct arena *arena, const struct top_pool *pool,
                                   unsigned columns);

#endif
