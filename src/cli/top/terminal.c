// The terminal: see terminal.h.
#include "cli/top/terminal.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#define NCURSES_WIDECHAR 1
#define NCURSES_NOMACROS // "clear", "timeout" and others would be macros
#include <curses.h>
#include <term.h>
#undef columns // a macro of term.h

#include "cli/top/text.h"
#include "report/render/text/clean_stream.h"

enum {
    ESCAPE_MS = 25,    // after that, Escape is a key and not the beginning of one
    SILENT_WAKES = 50, // that input is announced and none is there: the terminal is gone
};

static SCREEN *screen;
static bool colours;
static unsigned silent;

// Standard error, while the window is ours: a message would tear it.
static int stderr_fd = -1; // the real one
static int said_fd = -1;   // what was written meanwhile

bool top_terminal_usable(void)
{
    if (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO))
        return false;
    int error = 0;
    if (setupterm(NULL, STDOUT_FILENO, &error) != OK)
        return false;
    static char cup[] = "cup"; // move the cursor; see terminfo(5)
    const char *move = tigetstr(cup);
    bool usable = move && move != (char *)-1;
    del_curterm(cur_term);
    return usable;
}

static void keep_stderr(void)
{
    (void)fflush(stderr);
    said_fd = memfd_create("unclosed-top", MFD_CLOEXEC);
    stderr_fd = said_fd < 0 ? -1 : fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
    if (stderr_fd >= 0)
        (void)dup2(said_fd, STDERR_FILENO);
}

static void give_stderr_back(void)
{
    char text[4096];
    (void)fflush(stderr);
    if (stderr_fd >= 0) {
        (void)dup2(stderr_fd, STDERR_FILENO);
        close(stderr_fd);
    }
    ssize_t got = 0;
    for (off_t at = 0; said_fd >= 0 && (got = pread(said_fd, text, sizeof text, at)) > 0; at += got)
        if (write(STDERR_FILENO, text, (size_t)got) < 0)
            break;
    if (said_fd >= 0)
        close(said_fd);
    stderr_fd = said_fd = -1;
}

enum { PAIR_BAD = 1, PAIR_WARN, PAIR_GOOD, PAIR_HEAD, PAIR_SORTED, PAIR_SELECTED, PAIR_WARNING };

static void choose_colours(void)
{
    const char *no_colour = getenv("NO_COLOR");
    colours = (!no_colour || no_colour[0] == 0) && has_colors();
    if (!colours || start_color() != OK) {
        colours = false;
        return;
    }
    (void)use_default_colors();
    (void)init_pair(PAIR_BAD, COLOR_RED, -1);
    (void)init_pair(PAIR_WARN, COLOR_YELLOW, -1);
    (void)init_pair(PAIR_GOOD, COLOR_GREEN, -1);
    (void)init_pair(PAIR_HEAD, COLOR_BLACK, COLOR_GREEN);
    (void)init_pair(PAIR_SORTED, COLOR_BLACK, COLOR_CYAN);
    (void)init_pair(PAIR_SELECTED, COLOR_BLACK, COLOR_CYAN);
    (void)init_pair(PAIR_WARNING, COLOR_BLACK, COLOR_YELLOW);
}

int top_terminal_enter(void)
{
    static bool registered;
    if (!registered && atexit(top_terminal_leave) != 0)
        return -ENOMEM;
    registered = true;
    screen = newterm(NULL, clean_stream_under(stdout), stdin);
    if (!screen)
        return -ENOTTY;
    keep_stderr();
    (void)cbreak();
    (void)noecho();
    (void)nonl();
    (void)keypad(stdscr, true);
    (void)nodelay(stdscr, true);
    (void)set_escdelay(ESCAPE_MS);
    (void)curs_set(0);
    choose_colours();
    return 0;
}

void top_terminal_leave(void)
{
    if (!screen)
        return;
    (void)endwin();
    delscreen(screen);
    screen = NULL;
    give_stderr_back();
}

unsigned top_terminal_rows(void)
{
    return (unsigned)getmaxy(stdscr);
}

unsigned top_terminal_columns(void)
{
    return (unsigned)getmaxx(stdscr);
}

void top_terminal_clear(void)
{
    // The window may have changed while we were stopped and nobody told us.
    struct winsize size;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_row > 0 && size.ws_col > 0 &&
        is_term_resized(size.ws_row, size.ws_col))
        (void)resizeterm(size.ws_row, size.ws_col);
    (void)erase();
}

static attr_t pair(short number)
{
    return (attr_t)COLOR_PAIR(number);
}

static attr_t style_attributes(enum sheet_style style)
{
    switch (style) {
    case SHEET_BOLD:
        return A_BOLD;
    case SHEET_DIM:
        return A_DIM;
    case SHEET_BAD:
        return colours ? pair(PAIR_BAD) : A_BOLD;
    case SHEET_WARN:
        return colours ? pair(PAIR_WARN) : A_NORMAL;
    case SHEET_GOOD:
        return colours ? pair(PAIR_GOOD) : A_NORMAL;
    case SHEET_PLAIN:
        break;
    }
    return A_NORMAL;
}

static attr_t attributes(enum top_ground ground, enum sheet_style style)
{
    static const short pairs[TOP_GROUNDS] = {
        [TOP_GROUND_HEAD] = PAIR_HEAD,
        [TOP_GROUND_SORTED] = PAIR_SORTED,
        [TOP_GROUND_SELECTED] = PAIR_SELECTED,
        [TOP_GROUND_WARNING] = PAIR_WARNING,
    };
    attr_t bold = style == SHEET_BOLD ? A_BOLD : A_NORMAL;
    if (ground == TOP_GROUND)
        return style_attributes(style);
    if (colours && pairs[ground])
        return pair(pairs[ground]) | (ground == TOP_GROUND_SELECTED ? A_NORMAL : bold);
    if (ground == TOP_GROUND_SORTED || ground == TOP_GROUND_WARNING)
        bold = A_BOLD;
    return A_REVERSE | bold;
}

unsigned top_terminal_put(unsigned row, unsigned column, enum top_ground ground,
                          enum sheet_style style, const char *text)
{
    unsigned end = top_terminal_columns();
    if (row >= top_terminal_rows() || column >= end)
        return column;
    (void)attrset(attributes(ground, style));
    (void)move((int)row, (int)column);
    unsigned width;
    for (wchar_t c; (c = top_text_next(&text, &width)) && column + width <= end; column += width)
        (void)addnwstr(&c, 1);
    (void)attrset(A_NORMAL);
    return column;
}

void top_terminal_line(unsigned row)
{
    (void)attrset(A_DIM);
    (void)mvhline((int)row, 0, 0, (int)top_terminal_columns());
    (void)attrset(A_NORMAL);
}

void top_terminal_show(bool all)
{
    if (all)
        (void)clearok(stdscr, true);
    (void)refresh();
}

bool top_terminal_wait(uint64_t timeout_ns, const sigset_t *mask)
{
    struct pollfd input = {.fd = STDIN_FILENO, .events = POLLIN};
    const struct timespec timeout = {.tv_sec = (time_t)(timeout_ns / 1000000000),
                                     .tv_nsec = (long)(timeout_ns % 1000000000)};
    int ready = ppoll(&input, 1, &timeout, mask);
    if (ready <= 0)
        return ready == 0 || errno == EINTR;
    silent++;
    return !(input.revents & (POLLHUP | POLLERR | POLLNVAL)) && silent < SILENT_WAKES;
}

static uint32_t special_key(wint_t key)
{
    switch (key) {
    case KEY_UP:
        return TOP_KEY_UP;
    case KEY_DOWN:
        return TOP_KEY_DOWN;
    case KEY_LEFT:
        return TOP_KEY_LEFT;
    case KEY_RIGHT:
        return TOP_KEY_RIGHT;
    case KEY_PPAGE:
        return TOP_KEY_PAGE_UP;
    case KEY_NPAGE:
        return TOP_KEY_PAGE_DOWN;
    case KEY_HOME:
        return TOP_KEY_HOME;
    case KEY_END:
        return TOP_KEY_END;
    case KEY_BACKSPACE:
        return TOP_KEY_BACKSPACE;
    case KEY_ENTER:
        return TOP_KEY_ENTER;
    case KEY_F(1):
        return TOP_KEY_HELP;
    case KEY_F(10):
        return TOP_KEY_QUIT;
    default:
        return TOP_KEY_OTHER;
    }
}

uint32_t top_terminal_key(void)
{
    wint_t key;
    int kind = get_wch(&key);
    if (kind == ERR)
        return TOP_KEY_NONE;
    silent = 0;
    if (kind == KEY_CODE_YES)
        return special_key(key);
    if (key == L'\r')
        return TOP_KEY_ENTER;
    return key == 0x7f || key == '\b' ? TOP_KEY_BACKSPACE : key;
}
