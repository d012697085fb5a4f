// Text that is safe to show: what goes to a terminal or into a log is cleaned here and nowhere
// else.
//
// Names, arguments, SQL and paths come from programs that may be hostile. Not shown: control
// characters (C0, DEL, C1), what turns the direction of text or breaks a line (bidirectional
// controls, U+2028, U+2029), tags and annotations, and what is not UTF-8 (RFC 3629: also forms that
// are too long, surrogates, and beyond U+10FFFF). Each becomes "?", a tab or a line's end a space.
//
// Shared by the recorder and the command line. No malloc, no locale, no state: async-signal-safe
// and thread-safe.
#ifndef UNCLOSED_SHARED_CLEAN_H
#define UNCLOSED_SHARED_CLEAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum clean_lines {
    CLEAN_ONE_LINE = 0, // names: a newline is a space
    CLEAN_LINES,        // whole messages: a newline ends a line
};

// The next piece of a text that is to be shown: as much as can be shown as it is, or what stands in
// for one character that cannot.
struct clean_piece {
    const char *text; // in the text itself, or of static storage
    size_t bytes;     // of `text`
    size_t taken;     // bytes of the original that it stands for; 0: nothing is left
    bool as_it_is;    // false: it stands in for something
};

struct clean_piece clean_next(const char *text, size_t bytes, enum clean_lines lines);

// One character: U+FFFD and 1 byte where there is no UTF-8 (of `bytes` bytes, at least 1).
uint32_t clean_character(const char *text, size_t bytes, size_t *taken);

// Whether a character may be shown.
bool clean_is_shown(uint32_t character);

// How a character beyond ASCII is written where there is only ASCII: static text, "?" if there is
// no form for it.
const char *clean_ascii(uint32_t character);

// Writes `bytes` bytes of UTF-8 in ASCII, where they are. Result: their number afterwards, never
// larger.
size_t clean_to_ascii(char *text, size_t bytes);

// How much of a text that is longer than `room` bytes fits without cutting a character.
size_t clean_fitting(const char *text, size_t room);

// Cleans `bytes` bytes where they are, as one line. Result: their number afterwards, never larger.
size_t clean_bytes(char *text, size_t bytes);
// The same for a text that ends with NUL.
void clean_text(char *text);

#endif
