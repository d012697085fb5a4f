// Text of a trace in formats for programs: always valid UTF-8 on one line, without characters that
// drive a terminal (shared/clean.h); each format adds its own escapes.
//
// Knows no format. Not thread-safe where it takes an arena.
#ifndef UNCLOSED_REPORT_RENDER_PLAIN_H
#define UNCLOSED_REPORT_RENDER_PLAIN_H

#include <stdio.h>

#include "report/profile/profile.h"

// What stands for an ASCII character in a format; NULL: itself.
typedef const char *plain_escape(char character);

// Prints clean text, escaped. text: NULL is "". escape: NULL for none.
void plain_print(const char *text, plain_escape *escape, FILE *out);

// Clean text of at most `most` bytes, with "..." at the end if it was longer; 0: never cut.
char *plain_text(struct arena *arena, const char *text, size_t most);

// "file:line", "module+0x1a2b" or "", not clean. directory: of the process, which a file is shown
// relative to if it is below; "": none.
const char *plain_place(struct arena *arena, const struct frame *frame, const char *directory);

// Its function, with parameters where these are known; "" if it has none or is NULL. Not clean.
const char *plain_function(const struct frame *frame);

// The frame as one text, function first: "Pool.connect (base.py:100)". Not clean, never "".
const char *plain_frame(struct arena *arena, const struct frame *frame);

// The program of a process: the last part of its path. Not clean.
const char *plain_program(const struct profile_process *process);

#endif
