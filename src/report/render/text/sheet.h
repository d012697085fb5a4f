// Text for people: colours, widths, durations, and frames as they are written in reports.
//
// Knows frames; not what is printed about them. Not thread-safe.
#ifndef UNCLOSED_REPORT_RENDER_TEXT_SHEET_H
#define UNCLOSED_REPORT_RENDER_TEXT_SHEET_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "report/code/frames.h"
#include "report/code/memory.h"

enum sheet_style { SHEET_PLAIN, SHEET_BOLD, SHEET_DIM, SHEET_BAD, SHEET_WARN, SHEET_GOOD };

struct sheet {
    FILE *out;   // whatever is printed here is cleaned, see clean_stream.h
    FILE *under; // the stream itself
    bool is_own; // `out` was opened for the sheet
    bool window; // it is a terminal
    bool colour;
    unsigned width; // columns
    struct arena *arena;
};

// A sheet on `out`: in colour and as wide as the terminal if it is one (and NO_COLOR is not set,
// see no-color.org), else plain and 100 columns wide.
// sheet_end is to be called before `out` is used again.
struct sheet sheet_new(FILE *out, struct arena *arena);
void sheet_end(struct sheet *sheet);

// Prints in a style.
__attribute__((format(printf, 3, 4))) void
sheet_print(const struct sheet *sheet, enum sheet_style style, const char *format, ...);

// Columns that a text takes up: characters, not bytes (wide ones count as one).
unsigned sheet_columns(const char *text);

// `text` as one line that is safe to show, see shared/clean.h, so that no name from a traced
// program can drive the terminal or begin a line; cut to `columns` columns, "..." at the end, if it
// is longer (0: never).
const char *sheet_clean(struct arena *arena, const char *text, unsigned columns);

// "3 µs", "41.5 ms", "182.3 s", "12 min 05 s", "3 h 20 min", "2 d 04 h".
const char *sheet_duration(struct arena *arena, uint64_t ns);

// A frame: "ui/app.py:88 App.refresh", "main (svnadmin+0x5f3a)", "libfoo.so+0x1234".
const char *sheet_frame(struct arena *arena, const struct frame *frame, const char *directory);

// The same without the function: "app.py:88". For lists.
const char *sheet_place(struct arena *arena, const struct frame *frame);

// A line made of parts with " · " between them, which breaks between parts at the sheet's width;
// lines after the first are indented by `indent`. Parts that are NULL or "" are left out.
struct sheet_line {
    const struct sheet *sheet;
    unsigned indent, column;
    bool started;
};
struct sheet_line sheet_line_begin(const struct sheet *sheet, unsigned indent);
void sheet_line_add(struct sheet_line *line, enum sheet_style style, const char *part);
void sheet_line_end(struct sheet_line *line);

// Prints words, broken into lines at the sheet's width; lines after the first are indented.
void sheet_wrap(const struct sheet *sheet, enum sheet_style style, unsigned indent,
                const char *words);

#endif
