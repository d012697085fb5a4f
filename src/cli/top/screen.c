// Drawing: see screen.h. From top to bottom: the head, pools, sites, a stack, keys.
#include "cli/top/screen.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/top/lines.h"
#include "cli/top/terminal.h"
#include "cli/top/text.h"
#include "cli/top/words.h"
#include "report/render/text/words.h"

enum {
    LEAST_ROWS = 6,
    LEAST_COLUMNS = 30,
    ROOMY = 16, // rows from which on there is room for blank lines and the command
    PANE_LEAST = 4,
};

struct canvas { // one picture while it is drawn
    struct top_screen *screen;
    const struct top_snapshot *snapshot;
    struct arena *arena;
    unsigned rows, columns, row;
};

static void put_line(struct canvas *canvas, enum top_ground ground, enum sheet_style style,
                     const char *text)
{
    top_terminal_put(canvas->row++, 0, ground, style,
                     top_text_fit(canvas->arena, text, canvas->columns));
}

static const char *clock_text(struct arena *arena, uint64_t realtime)
{
    time_t seconds = (time_t)(realtime / TOP_SECOND);
    struct tm local;
    char text[16];
    if (!localtime_r(&seconds, &local) || strftime(text, sizeof text, "%H:%M:%S", &local) == 0)
        return "";
    return arena_text(arena, text);
}

static void draw_title(struct canvas *canvas)
{
    const struct top_screen *screen = canvas->screen;
    const struct top_snapshot *snapshot = canvas->snapshot;
    struct arena *arena = canvas->arena;
    const char *clock = clock_text(arena, screen->read_realtime);
    const char *left =
        arena_format(arena, " unclosed top  %s  %s", top_words_processes(arena, snapshot),
                     top_words_state(arena, snapshot));
    const char *right =
        arena_format(arena, " every %s  %s ", top_text_time(arena, screen->interval_ns), clock);
    if (screen->frozen || snapshot->ended)
        right = arena_format(arena, screen->frozen ? " FROZEN at %s " : " %s ", clock);
    unsigned room = canvas->columns;
    unsigned width = top_text_columns(right);
    bool both = width + 20 < room;
    bool warn = screen->frozen || snapshot->ended;
    top_terminal_put(canvas->row, 0, snapshot->ended ? TOP_GROUND_WARNING : TOP_GROUND_TITLE,
                     SHEET_BOLD, top_text_fit(arena, left, both ? room - width : room));
    if (both)
        top_terminal_put(canvas->row, room - width, warn ? TOP_GROUND_WARNING : TOP_GROUND_TITLE,
                         SHEET_PLAIN, right);
    canvas->row++;
}

static void draw_head(struct canvas *canvas)
{
    struct arena *arena = canvas->arena;
    draw_title(canvas);
    if (canvas->rows >= ROOMY)
        put_line(canvas, TOP_GROUND, SHEET_DIM,
                 arena_format(arena, " %s", top_words_command(arena, canvas->snapshot)));
    put_line(canvas, TOP_GROUND, SHEET_PLAIN,
             arena_format(arena, " %s", top_words_totals(arena, canvas->snapshot)));
    const char *note = top_words_note(arena, canvas->snapshot);
    if (note[0])
        put_line(canvas, TOP_GROUND, SHEET_WARN, arena_format(arena, " note: %s", note));
    if (canvas->rows >= ROOMY)
        canvas->row++;
}

static void draw_pools(struct canvas *canvas)
{
    const struct top_snapshot *snapshot = canvas->snapshot;
    struct arena *arena = canvas->arena;
    size_t room = canvas->rows < ROOMY ? 1 : canvas->rows / 5;
    size_t shown = snapshot->pool_count < room ? snapshot->pool_count : room;
    if (shown == 0)
        return;
    unsigned width = canvas->columns - 1;
    put_line(canvas, TOP_GROUND_HEAD, SHEET_PLAIN,
             arena_format(arena, " %s", top_pool_titles(arena, width)));
    for (size_t i = 0; i < shown; i++) {
        struct top_pool_line line = top_pool_line(arena, &snapshot->pools[i], width);
        unsigned column = top_terminal_put(canvas->row, 1, TOP_GROUND, SHEET_PLAIN, line.name);
        column = top_terminal_put(canvas->row, column, TOP_GROUND, line.bar_style, line.bar);
        top_terminal_put(canvas->row++, column, TOP_GROUND, line.numbers_style, line.numbers);
    }
    if (shown < snapshot->pool_count)
        put_line(canvas, TOP_GROUND, SHEET_DIM,
                 arena_format(
                     arena, " and %s",
                     text_count(arena, snapshot->pool_count - shown, "more pool", "more pools")));
    if (canvas->rows >= ROOMY)
        canvas->row++;
}

static void draw_titles(struct canvas *canvas, const struct top_layout *layout)
{
    const struct top_screen *screen = canvas->screen;
    const struct top_snapshot *snapshot = canvas->snapshot;
    struct arena *arena = canvas->arena;
    unsigned column = 1;
    top_terminal_put(canvas->row, 0, TOP_GROUND_HEAD, SHEET_PLAIN,
                     top_text_fit(arena, "", canvas->columns));
    for (unsigned i = 0; i < layout->count; i++) {
        bool sorted = layout->column[i]->key == (int)screen->key;
        const char *title =
            top_title(arena, layout->column[i], layout->width[i], sorted, screen->reversed);
        column = top_terminal_put(canvas->row, column, sorted ? TOP_GROUND_SORTED : TOP_GROUND_HEAD,
                                  SHEET_PLAIN, title);
        column++;
    }
    size_t last = screen->first + screen->fitting;
    if (last > snapshot->row_count)
        last = snapshot->row_count;
    if (last - screen->first < snapshot->all_count) {
        const char *position =
            arena_format(arena, "%zu-%zu of %zu%s ", last ? screen->first + 1 : 0, last,
                         snapshot->row_count, screen->filter[0] ? " found" : "");
        top_terminal_put(canvas->row, canvas->columns - top_text_columns(position), TOP_GROUND_HEAD,
                         SHEET_PLAIN, position);
    }
    canvas->row++;
}

static void draw_row(struct canvas *canvas, const struct top_layout *layout, size_t index)
{
    bool selected = index == canvas->screen->row;
    enum top_ground ground = selected ? TOP_GROUND_SELECTED : TOP_GROUND;
    unsigned column = top_terminal_put(canvas->row, 0, ground, SHEET_PLAIN, selected ? ">" : " ");
    for (unsigned i = 0; i < layout->count; i++) {
        enum sheet_style style;
        const char *text = top_cell(canvas->arena, canvas->snapshot, &canvas->snapshot->rows[index],
                                    layout->column[i], layout->width[i], &style);
        column = top_terminal_put(canvas->row, column, ground, style, text);
        column = top_terminal_put(canvas->row, column, ground, SHEET_PLAIN, " ");
    }
    canvas->row++;
}

// Brings the selection to the site it follows, and into sight.
static void select_row(struct top_screen *screen, const struct top_snapshot *snapshot)
{
    size_t row = screen->selected[0] ? top_row_find(snapshot, screen->selected) : 0;
    if (row < snapshot->row_count)
        screen->row = row;
    else if (screen->row >= snapshot->row_count) // it is gone: the one that took its place
        screen->row = snapshot->row_count ? snapshot->row_count - 1 : 0;
    if (screen->row < screen->first)
        screen->first = screen->row;
    if (screen->fitting && screen->row >= screen->first + screen->fitting)
        screen->first = screen->row - screen->fitting + 1;
    if (screen->first + screen->fitting > snapshot->row_count)
        screen->first =
            snapshot->row_count > screen->fitting ? snapshot->row_count - screen->fitting : 0;
}

static void draw_no_rows(struct canvas *canvas)
{
    const struct top_screen *screen = canvas->screen;
    put_line(canvas, TOP_GROUND, SHEET_DIM,
             screen->filter[0]
                 ? arena_format(canvas->arena, " no site's name contains \"%s\"", screen->filter)
                 : " no session has been opened so far");
}

// Rows that the pane takes with the line above it: half of what is left, and what the sites do not
// need. 0: there is no room for one.
static unsigned pane_rows(const struct canvas *canvas)
{
    unsigned rest = canvas->rows - canvas->row;
    size_t sites = canvas->snapshot->row_count + 3; // with titles, a blank line and keys
    unsigned pane = sites < rest - rest / 2 ? rest - (unsigned)sites : rest / 2;
    return canvas->screen->stack && pane > PANE_LEAST ? pane : 0;
}

static void draw_lines(struct canvas *canvas, const top_lines *lines, size_t first, unsigned count)
{
    for (unsigned i = 0; i < count && first + i < lines->count; i++)
        put_line(canvas, TOP_GROUND, lines->item[first + i].style, lines->item[first + i].text);
}

static void draw_pane(struct canvas *canvas, unsigned height)
{
    const struct top_screen *screen = canvas->screen;
    const struct top_snapshot *snapshot = canvas->snapshot;
    if (height == 0 || screen->row >= snapshot->row_count)
        return;
    canvas->row = canvas->rows - 1 - height;
    top_terminal_line(canvas->row);
    struct top_row *row = &snapshot->rows[screen->row];
    const char *title =
        top_text_place(canvas->arena, top_row_name(snapshot, row), canvas->columns - 6);
    size_t length = strlen(title);
    while (length > 0 && title[length - 1] == ' ')
        length--;
    top_terminal_put(canvas->row++, 2, TOP_GROUND, SHEET_BOLD,
                     arena_format(canvas->arena, " %.*s ", (int)length, title));
    top_lines lines = {0};
    top_lines_stack(canvas->arena, snapshot, row, screen->all_frames, &lines);
    unsigned room = height - 1;
    bool cut = lines.count > room;
    draw_lines(canvas, &lines, 0, cut ? room - 1 : room);
    if (cut)
        put_line(canvas, TOP_GROUND, SHEET_DIM,
                 arena_format(
                     canvas->arena, "       (%s: press Enter)",
                     text_count(canvas->arena, lines.count - room + 1, "more line", "more lines")));
}

struct key_help {
    const char *key, *label;
};

static void draw_keys(struct canvas *canvas, const struct key_help *help)
{
    unsigned column = 0;
    canvas->row = canvas->rows - 1;
    for (; help->key; help++) {
        unsigned width = top_text_columns(help->key) + top_text_columns(help->label) + 2;
        if (column + width > canvas->columns + 1)
            break;
        column = top_terminal_put(canvas->row, column, TOP_GROUND, SHEET_BOLD, help->key);
        column = top_terminal_put(canvas->row, column + 1, TOP_GROUND_SELECTED, SHEET_PLAIN,
                                  help->label);
        column++;
    }
    if (column < canvas->columns)
        top_terminal_put(canvas->row, column, TOP_GROUND, SHEET_PLAIN,
                         top_text_fit(canvas->arena, "", canvas->columns - column));
}

static void draw_prompt(struct canvas *canvas)
{
    canvas->row = canvas->rows - 1;
    const char *typed = arena_format(canvas->arena, "Show sites with: %s", canvas->screen->filter);
    unsigned column = top_terminal_put(canvas->row, 0, TOP_GROUND, SHEET_BOLD, typed);
    column = top_terminal_put(canvas->row, column, TOP_GROUND_SELECTED, SHEET_PLAIN, " ");
    top_terminal_put(canvas->row, column + 3, TOP_GROUND, SHEET_DIM, "Enter: keep   Esc: show all");
}

static void draw_sites(struct canvas *canvas)
{
    static const struct key_help keys[] = {
        {"h", "Help"},    {"q", "Quit"},       {"<>", "Sort"},    {"r", "Reverse"},
        {"Tab", "Stack"}, {"Space", "Freeze"}, {"Enter", "Site"}, {"/", "Filter"},
        {"a", "Frames"},  {"+-", "Interval"},  {NULL, NULL},
    };
    struct top_screen *screen = canvas->screen;
    draw_head(canvas);
    draw_pools(canvas);
    unsigned pane = pane_rows(canvas);
    unsigned below = pane + 2; // and the titles, and the keys
    screen->fitting = canvas->rows > canvas->row + below ? canvas->rows - canvas->row - below : 0;
    select_row(screen, canvas->snapshot);
    struct top_layout layout = top_layout_fit(canvas->columns - 1);
    draw_titles(canvas, &layout);
    if (canvas->snapshot->row_count == 0)
        draw_no_rows(canvas);
    for (size_t i = 0; i < screen->fitting && screen->first + i < canvas->snapshot->row_count; i++)
        draw_row(canvas, &layout, screen->first + i);
    draw_pane(canvas, pane);
    if (screen->typing)
        draw_prompt(canvas);
    else
        draw_keys(canvas, keys);
}

// A page of lines that can be scrolled.
static void draw_page(struct canvas *canvas, const top_lines *lines)
{
    static const struct key_help keys[] = {
        {"Esc", "Back"}, {"Up/Down", "Scroll"}, {"a", "Frames"}, {"Space", "Freeze"}, {NULL, NULL}};
    struct top_screen *screen = canvas->screen;
    draw_title(canvas);
    canvas->row++;
    unsigned room = canvas->rows - canvas->row - 1;
    size_t most = lines->count > room ? lines->count - room : 0;
    if (screen->scroll > most)
        screen->scroll = most;
    screen->fitting = room;
    draw_lines(canvas, lines, screen->scroll, room);
    draw_keys(canvas, keys);
}

static void draw(struct canvas *canvas)
{
    const struct top_snapshot *snapshot = canvas->snapshot;
    struct top_screen *screen = canvas->screen;
    top_lines lines = {0};
    if (canvas->rows < LEAST_ROWS || canvas->columns < LEAST_COLUMNS) {
        put_line(canvas, TOP_GROUND, SHEET_PLAIN, "window too small");
    } else if (screen->page == TOP_PAGE_HELP) {
        top_lines_help(canvas->arena, &lines);
        draw_page(canvas, &lines);
    } else if (screen->page == TOP_PAGE_SITE && snapshot->row_count > 0) {
        select_row(screen, snapshot);
        top_lines_site(canvas->arena, snapshot, &snapshot->rows[screen->row], screen->all_frames,
                       &lines);
        draw_page(canvas, &lines);
    } else {
        screen->page = TOP_PAGE_SITES;
        draw_sites(canvas);
    }
}

void top_screen_draw(struct top_screen *screen)
{
    top_terminal_clear();
    struct canvas canvas = {
        .screen = screen,
        .snapshot = top_model_snapshot(screen->model),
        .arena = arena_new(),
        .rows = top_terminal_rows(),
        .columns = top_terminal_columns(),
    };
    draw(&canvas);
    top_terminal_show(screen->redraw);
    screen->redraw = false;
    arena_free(canvas.arena);
}
