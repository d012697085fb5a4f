// Columns: see columns.h.
#include "cli/top/columns.h"

#include <inttypes.h>
#include <stdlib.h>

#include "cli/top/text.h"
#include "cli/top/timeline.h"
#include "report/render/text/words.h"

enum { NAME_LEAST = 38, SPARK = TOP_KEYS }; // NAME_LEAST: what names get before other columns do

// In the order in which they are shown. Titles leave a column for the mark of the one sorted by.
static const struct top_column columns[] = {
    {.title = "HELD", .width = 5, .letter = 'H', .key = TOP_HELD},
    {.title = "GROWTH", .width = 7, .letter = 'G', .key = TOP_GROWTH},
    {.title = "SINCE THE START", .width = 16, .left = true, .key = SPARK},
    {.title = "OPENED", .width = 7, .letter = 'O', .key = TOP_OPENED},
    {.title = "ACQ/S", .width = 6, .letter = 'A', .key = TOP_RATE},
    {.title = "RECLAIMED", .width = 10, .letter = 'C', .key = TOP_RECLAIMED},
    {.title = "OLDEST", .width = 7, .letter = 'T', .key = TOP_OLDEST},
    {.title = "KIND", .width = 9, .letter = 'K', .left = true, .key = TOP_KIND},
    {.title = "SITE", .width = 0, .letter = 'S', .left = true, .key = TOP_NAME},
};
enum { COLUMNS = sizeof columns / sizeof columns[0] };

// The most needed first.
static const int needed[] = {TOP_HELD,   TOP_GROWTH, TOP_OLDEST,    TOP_KIND,
                             TOP_OPENED, TOP_RATE,   TOP_RECLAIMED, SPARK};

static const struct top_column *column_of(int key)
{
    size_t i = 0;
    while (columns[i].key != key)
        i++;
    return &columns[i];
}

const struct top_column *top_column_by_letter(char letter)
{
    for (size_t i = 0; i < COLUMNS; i++)
        if (columns[i].letter == letter && letter)
            return &columns[i];
    return NULL;
}

struct top_layout top_layout_fit(unsigned width)
{
    bool taken[TOP_COLUMNS_MOST] = {[TOP_NAME] = true};
    unsigned left = width;
    for (size_t i = 0; i < sizeof needed / sizeof needed[0]; i++) {
        unsigned more = column_of(needed[i])->width + 1;
        if (i > 0 && left < more + NAME_LEAST)
            break;
        taken[needed[i]] = true;
        left -= more < left ? more : left;
    }
    struct top_layout layout = {0};
    for (size_t i = 0; i < COLUMNS; i++) {
        if (!taken[columns[i].key])
            continue;
        layout.column[layout.count] = &columns[i];
        layout.width[layout.count++] = columns[i].width ? columns[i].width : left;
    }
    return layout;
}

enum top_key top_layout_next(const struct top_layout *layout, enum top_key key, int step)
{
    unsigned at = 0;
    while (at < layout->count && layout->column[at]->key != (int)key)
        at++;
    if (at == layout->count) // sorted by one that does not fit
        return (enum top_key)layout->column[0]->key;
    do
        at = (at + layout->count + (unsigned)step) % layout->count;
    while (layout->column[at]->key == SPARK);
    return (enum top_key)layout->column[at]->key;
}

const char *top_title(struct arena *arena, const struct top_column *column, unsigned width,
                      bool sorted, bool reversed)
{
    // What numbers are sorted by stands with the largest on top, names with the first one.
    bool down = (column->key == TOP_NAME || column->key == TOP_KIND) == reversed;
    const char *mark = !sorted ? "" : top_text_is_utf8() ? (down ? "▼" : "▲") : (down ? "v" : "^");
    const char *title = arena_format(arena, "%s%s", column->title, mark);
    if (width == 0)
        return title;
    return column->left ? top_text_fit(arena, title, width) : top_text_right(arena, title, width);
}

static const char *number(struct arena *arena, uint64_t value, enum sheet_style *style)
{
    if (value == 0)
        *style = SHEET_DIM;
    return top_text_number(arena, value);
}

static const char *cell_text(struct arena *arena, const struct top_snapshot *snapshot,
                             struct top_row *row, const struct top_column *column, unsigned width,
                             enum sheet_style *style)
{
    switch (column->key) {
    case TOP_HELD:
        *style = row->held ? SHEET_BOLD : SHEET_PLAIN;
        return number(arena, row->held, style);
    case TOP_GROWTH:
        *style = row->growth > 0 ? SHEET_BAD : row->growth < 0 ? SHEET_GOOD : SHEET_DIM;
        return snapshot->growth_ns ? top_text_change(arena, row->growth) : "-";
    case TOP_OPENED:
        return row->site ? number(arena, row->opened, style) : "-";
    case TOP_RATE:
        *style = row->rate > 0 ? SHEET_PLAIN : SHEET_DIM;
        return row->site ? top_text_rate(arena, row->rate) : "-";
    case TOP_RECLAIMED:
        *style = SHEET_WARN;
        return row->site ? number(arena, row->reclaimed, style) : "-";
    case TOP_OLDEST:
        *style = !row->held                              ? SHEET_DIM
                 : row->site && row->site->tally.overdue ? SHEET_WARN
                                                         : SHEET_PLAIN;
        return row->held && row->oldest_ns ? top_text_time(arena, row->oldest_ns) : "-";
    case TOP_KIND:
        return profile_kind_name(row->kind);
    case TOP_NAME:
        *style = row->held ? SHEET_PLAIN : SHEET_DIM;
        return top_row_name(snapshot, row);
    default:
        *style = row->site && profile_grows(&row->site->growth) ? SHEET_BAD : SHEET_PLAIN;
        return row->site ? top_timeline_site(arena, row->site, width) : "";
    }
}

const char *top_cell(struct arena *arena, const struct top_snapshot *snapshot, struct top_row *row,
                     const struct top_column *column, unsigned width, enum sheet_style *style)
{
    *style = SHEET_PLAIN;
    const char *text = cell_text(arena, snapshot, row, column, width, style);
    if (width == 0)
        return text;
    if (column->key == TOP_NAME)
        return top_text_place(arena, text, width);
    return column->left ? top_text_fit(arena, text, width) : top_text_right(arena, text, width);
}

// Pools.

enum {
    SIZE_COLUMNS = 9,
    PEAK_COLUMNS = 5,
    WAITING_COLUMNS = 8,
    RATE_COLUMNS = 6,
    FAILED_COLUMNS = 7,
    TIMELINE_COLUMNS = 24,
    BAR_LEAST = 12,
    BAR_MOST = 32,
    POOL_NAME_LEAST = 16,
    WIDE = 120, // has room for failures and the timeline
};

struct pool_widths {
    unsigned name, bar;
    bool wide;
};

static struct pool_widths widths_of(unsigned width)
{
    struct pool_widths widths = {.wide = width >= WIDE};
    unsigned numbers = SIZE_COLUMNS + PEAK_COLUMNS + WAITING_COLUMNS + RATE_COLUMNS + 4;
    if (widths.wide)
        numbers += FAILED_COLUMNS + 1 + TIMELINE_COLUMNS + 1;
    unsigned rest = width > numbers ? width - numbers : 0;
    if (rest < POOL_NAME_LEAST + BAR_LEAST)
        rest = POOL_NAME_LEAST + BAR_LEAST;
    widths.bar = rest / 3;
    if (widths.bar < BAR_LEAST)
        widths.bar = BAR_LEAST;
    if (widths.bar > BAR_MOST)
        widths.bar = BAR_MOST;
    widths.name = rest - widths.bar;
    return widths;
}

const char *top_pool_titles(struct arena *arena, unsigned width)
{
    struct pool_widths widths = widths_of(width);
    const char *titles =
        arena_format(arena, "%s %*s %s %*s %*s %*s", top_text_fit(arena, "POOL", widths.name - 1),
                     SIZE_COLUMNS, "SIZE", top_text_fit(arena, "OUT", widths.bar), PEAK_COLUMNS,
                     "PEAK", WAITING_COLUMNS, "WAITING", RATE_COLUMNS, "ACQ/S");
    if (widths.wide)
        titles = arena_format(arena, "%s %*s %-*s", titles, FAILED_COLUMNS, "FAILED",
                              TIMELINE_COLUMNS, "HELD SINCE THE START");
    return top_text_fit(arena, titles, width);
}

static const char *size_text(struct arena *arena, const struct profile_pool *pool)
{
    if (pool->size == TRACE_UNKNOWN)
        return "-";
    if (pool->overflow == TRACE_UNKNOWN || pool->overflow == 0)
        return arena_format(arena, "%u", pool->size);
    return arena_format(arena, "%u+%u", pool->size, pool->overflow);
}

struct top_pool_line top_pool_line(struct arena *arena, const struct top_pool *shown,
                                   unsigned width)
{
    const struct profile_pool *pool = shown->pool;
    struct pool_widths widths = widths_of(width);
    uint64_t capacity = profile_pool_capacity(pool);
    struct top_pool_line line = {.bar_style = SHEET_GOOD};
    line.name = arena_format(arena, "%s %*s ",
                             top_text_fit(arena, text_pool_name(arena, pool), widths.name - 1),
                             SIZE_COLUMNS, size_text(arena, pool));
    line.bar = top_text_bar(arena, pool->out, capacity, widths.bar);
    if (capacity && pool->out * 10 >= capacity * 9)
        line.bar_style = SHEET_BAD;
    else if (capacity && pool->out * 10 >= capacity * 6)
        line.bar_style = SHEET_WARN;
    const char *waiting = pool->waiting_known ? top_text_number(arena, pool->waiting) : "-";
    line.numbers_style = pool->waiting_known && pool->waiting ? SHEET_BAD : SHEET_PLAIN;
    line.numbers =
        arena_format(arena, " %*s %*s %*s", PEAK_COLUMNS, top_text_number(arena, pool->high_water),
                     WAITING_COLUMNS, waiting, RATE_COLUMNS, top_text_rate(arena, shown->rate));
    if (widths.wide)
        line.numbers = arena_format(arena, "%s %*s %s", line.numbers, FAILED_COLUMNS,
                                    top_text_number(arena, pool->failed),
                                    top_timeline_pool(arena, pool, TIMELINE_COLUMNS));
    return line;
}
