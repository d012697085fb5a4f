// What keys do: see screen.h.
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <wchar.h>

#include "cli/top/screen.h"
#include "cli/top/terminal.h"

#define INTERVAL_LEAST_NS (TOP_SECOND / 4)
#define INTERVAL_MOST_NS (60 * TOP_SECOND)

enum { REDRAW = 'L' & 0x1f };

// Lets the selection follow the site of a row.
static void follow(struct top_screen *screen, size_t row)
{
    const struct top_snapshot *snapshot = top_model_snapshot(screen->model);
    if (snapshot->row_count == 0)
        return;
    if (row >= snapshot->row_count)
        row = snapshot->row_count - 1;
    (void)snprintf(screen->selected, sizeof screen->selected, "%s", snapshot->rows[row].id);
    screen->row = row;
}

static void sort(struct top_screen *screen, enum top_key key, bool reversed)
{
    screen->key = key;
    screen->reversed = reversed;
    top_model_sort(screen->model, key, reversed);
}

static void set_filter(struct top_screen *screen, size_t length)
{
    screen->filter[length] = 0;
    top_model_filter(screen->model, screen->filter);
}

// While the filter is typed.
static void type(struct top_screen *screen, uint32_t key)
{
    size_t length = strlen(screen->filter);
    char bytes[MB_LEN_MAX + 1];
    mbstate_t state = {0};
    size_t count;
    switch (key) {
    case TOP_KEY_ENTER:
        screen->typing = false;
        return;
    case TOP_KEY_ESCAPE:
        screen->typing = false;
        set_filter(screen, 0);
        return;
    case TOP_KEY_BACKSPACE:
        while (length > 0 && ((unsigned char)screen->filter[length - 1] & 0xc0) == 0x80)
            length--;
        set_filter(screen, length ? length - 1 : 0);
        return;
    default:
        if (key < ' ' || key >= TOP_KEY_UP)
            return;
        count = wcrtomb(bytes, (wchar_t)key, &state);
        if (count == (size_t)-1 || length + count >= sizeof screen->filter)
            return;
        memcpy(screen->filter + length, bytes, count);
        set_filter(screen, length + count);
    }
}

// Moves the selection, or the text of a page. Whether the key was one for that.
static bool move(struct top_screen *screen, uint32_t key)
{
    bool page = screen->page != TOP_PAGE_SITES;
    size_t at = page ? screen->scroll : screen->row;
    size_t step = screen->fitting > 1 ? screen->fitting - 1 : 1;
    switch (key) {
    case TOP_KEY_UP:
    case 'k':
        at -= at > 0;
        break;
    case TOP_KEY_DOWN:
    case 'j':
        at++;
        break;
    case TOP_KEY_PAGE_UP:
        at -= at < step ? at : step;
        break;
    case TOP_KEY_PAGE_DOWN:
        at += step;
        break;
    case TOP_KEY_HOME:
        at = 0;
        break;
    case TOP_KEY_END:
        at = SIZE_MAX / 2;
        break;
    default:
        return false;
    }
    if (page)
        screen->scroll = at;
    else
        follow(screen, at);
    if (!page && key == TOP_KEY_HOME) // and stays there
        screen->selected[0] = 0;
    return true;
}

static void turn_to(struct top_screen *screen, enum top_page page)
{
    screen->page = page;
    screen->scroll = 0;
}

// Keys that mean the same on each page. Whether it was one.
static bool general(struct top_screen *screen, uint32_t key)
{
    switch (key) {
    case 'a':
        screen->all_frames = !screen->all_frames;
        return true;
    case REDRAW:
        screen->redraw = true;
        return true;
    case '-':
    case '_':
        if (screen->interval_ns / 2 >= INTERVAL_LEAST_NS)
            screen->interval_ns /= 2;
        return true;
    case '+':
    case '=':
        if (screen->interval_ns * 2 <= INTERVAL_MOST_NS)
            screen->interval_ns *= 2;
        return true;
    default:
        return move(screen, key);
    }
}

// Keys of the list of sites.
static void list_key(struct top_screen *screen, uint32_t key)
{
    struct top_layout layout = top_layout_fit(top_terminal_columns() - 1);
    const struct top_column *column = key < 0x80 ? top_column_by_letter((char)key) : NULL;
    switch (key) {
    case 'h':
    case '?':
    case TOP_KEY_HELP:
        turn_to(screen, TOP_PAGE_HELP);
        return;
    case TOP_KEY_ENTER:
        follow(screen, screen->row);
        turn_to(screen, TOP_PAGE_SITE);
        return;
    case '\t':
        follow(screen, screen->row);
        screen->stack = !screen->stack;
        return;
    case '<':
    case TOP_KEY_LEFT:
        sort(screen, top_layout_next(&layout, screen->key, -1), screen->reversed);
        return;
    case '>':
    case 's':
    case TOP_KEY_RIGHT:
        sort(screen, top_layout_next(&layout, screen->key, 1), screen->reversed);
        return;
    case 'r':
        sort(screen, screen->key, !screen->reversed);
        return;
    case '/':
        screen->typing = true;
        return;
    case TOP_KEY_ESCAPE: // takes back what was added last
        if (screen->filter[0])
            set_filter(screen, 0);
        else
            screen->stack = false;
        return;
    default:
        if (column)
            sort(screen, (enum top_key)column->key, false);
    }
}

enum top_wish top_screen_key(struct top_screen *screen, uint32_t key)
{
    bool leaves = key == 'q' || key == 'Q' || key == TOP_KEY_QUIT;
    if (screen->typing) {
        type(screen, key);
        return TOP_GO_ON;
    }
    if (key == ' ' || key == 'f') {
        screen->frozen = !screen->frozen;
        return screen->frozen ? TOP_GO_ON : TOP_READ_NOW;
    }
    if (general(screen, key))
        return TOP_GO_ON;
    if (screen->page == TOP_PAGE_SITES) {
        if (leaves)
            return TOP_QUIT;
        list_key(screen, key);
        return TOP_GO_ON;
    }
    bool toggles =
        screen->page == TOP_PAGE_HELP && (key == 'h' || key == '?' || key == TOP_KEY_HELP);
    if (leaves || toggles || key == TOP_KEY_ESCAPE || key == TOP_KEY_ENTER ||
        key == TOP_KEY_BACKSPACE)
        turn_to(screen, TOP_PAGE_SITES);
    return TOP_GO_ON;
}
