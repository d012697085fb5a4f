// The terminal of `unclosed top`: all of the window, until it is given back as it was.
//
// Knows ncurses, as the only one; not what is shown. One terminal in a process. Not thread-safe,
// and not for signal handlers.
#ifndef UNCLOSED_CLI_TOP_TERMINAL_H
#define UNCLOSED_CLI_TOP_TERMINAL_H

#include <signal.h>
#include <stdbool.h>
#include <stdint.h>

#include "report/render/text/sheet.h"

enum top_ground { // what text stands on
    TOP_GROUND,
    TOP_GROUND_TITLE,
    TOP_GROUND_HEAD,
    TOP_GROUND_SORTED,
    TOP_GROUND_SELECTED,
    TOP_GROUND_WARNING,
    TOP_GROUNDS
};

enum top_terminal_key { // besides characters
    TOP_KEY_NONE = 0,
    TOP_KEY_ENTER = '\n',
    TOP_KEY_ESCAPE = 0x1b,
    TOP_KEY_UP = 0x110000, // behind the last character
    TOP_KEY_DOWN,
    TOP_KEY_LEFT,
    TOP_KEY_RIGHT,
    TOP_KEY_PAGE_UP,
    TOP_KEY_PAGE_DOWN,
    TOP_KEY_HOME,
    TOP_KEY_END,
    TOP_KEY_BACKSPACE,
    TOP_KEY_HELP,
    TOP_KEY_QUIT,
    TOP_KEY_OTHER,
};

// Whether standard input and output are a terminal on which text can be put anywhere.
bool top_terminal_usable(void);

// Takes the window. What is written to standard error is kept until it is given back. Colours,
// unless the terminal has none or NO_COLOR is set (no-color.org). Given back by top_terminal_leave,
// and at exit(). Result: 0 or -errno.
int top_terminal_enter(void);
void top_terminal_leave(void); // nothing if it was not entered

unsigned top_terminal_rows(void);
unsigned top_terminal_columns(void);

void top_terminal_clear(void); // begins a new picture, of the size that the window has now
// Puts text at a place, as far as it fits. Result: the column behind it.
unsigned top_terminal_put(unsigned row, unsigned column, enum top_ground ground,
                          enum sheet_style style, const char *text);
void top_terminal_line(unsigned row); // across the window
void top_terminal_show(bool all);     // all: also what should be there already

// Waits until a key is pressed, `timeout_ns` have passed, the window changes, or a signal comes
// that is not in `mask`. Result: false if there is no terminal any more.
bool top_terminal_wait(uint64_t timeout_ns, const sigset_t *mask);
// The next key pressed: a character or an enum top_terminal_key. Does not wait.
uint32_t top_terminal_key(void);

#endif
