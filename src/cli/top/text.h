// Short texts for a terminal: numbers and times of a few columns, texts fitted to a width, bars.
//
// All texts are UTF-8. How wide a character is depends on the locale (setlocale, LC_CTYPE); where
// that is not a UTF-8 one, nothing but ASCII is made. Knows nothing of what is shown. Thread
// safety: that of the arena.
#ifndef UNCLOSED_CLI_TOP_TEXT_H
#define UNCLOSED_CLI_TOP_TEXT_H

#include <stdbool.h>
#include <stdint.h>
#include <wchar.h>

#include "report/code/memory.h"

bool top_text_is_utf8(void); // whether the locale can show more than ASCII

// The next character of `*text`, which moves behind it; 0 at the end. What no terminal should get
// (control characters, broken UTF-8, what the locale cannot show) becomes '?'.
// columns: how many it takes: 0 (a combining one), 1 or 2.
wchar_t top_text_next(const char **text, unsigned *columns);

unsigned top_text_columns(const char *text);

// `text` in exactly `columns` columns: filled up with spaces, or cut with an ellipsis at its end.
const char *top_text_fit(struct arena *arena, const char *text, unsigned columns);
// The same, with the spaces in front.
const char *top_text_right(struct arena *arena, const char *text, unsigned columns);
// A place in code, "a/b/c.py:12 function": directories are left out before the end is.
const char *top_text_place(struct arena *arena, const char *text, unsigned columns);

// "350 ms", "41.5 s", "12m05s", "3h20m", "2d04h": at most 6 columns below a thousand days.
const char *top_text_time(struct arena *arena, uint64_t ns);
// "12345", "123.4k", "1.2M": at most 6 columns.
const char *top_text_number(struct arena *arena, uint64_t number);
// "0", "0.05", "12.3", "1234", "12.3k": at most 5 columns.
const char *top_text_rate(struct arena *arena, double per_second);
// "+3", "-2", "0".
const char *top_text_change(struct arena *arena, int64_t change);

// "[|||||     18/30]": `columns` columns (at least 4). capacity: 0 if not known, then without bars.
const char *top_text_bar(struct arena *arena, uint64_t number, uint64_t capacity, unsigned columns);
// One character for each number, from nothing to the largest of them; UINT64_MAX: a space.
const char *top_text_spark(struct arena *arena, const uint64_t *numbers, unsigned count);

#endif
