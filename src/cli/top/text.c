// Short texts for a terminal: see text.h.
#include "cli/top/text.h"

#include <inttypes.h>
#include <langinfo.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "shared/clean.h"

bool top_text_is_utf8(void)
{
    return strcmp(nl_langinfo(CODESET), "UTF-8") == 0;
}

wchar_t top_text_next(const char **text, unsigned *columns)
{
    *columns = 0;
    if (**text == 0)
        return 0;
    size_t taken;
    wchar_t c = (wchar_t)clean_character(*text, strlen(*text), &taken);
    bool broken = taken == 1 && c >= 0x80;
    *text += taken;
    int width = c < 0x80 || top_text_is_utf8() ? wcwidth(c) : -1;
    if (broken || width < 0 || !clean_is_shown((uint32_t)c)) {
        const char *form = broken ? "?" : clean_ascii((uint32_t)c);
        c = form[1] ? L'?' : (wchar_t)form[0];
        width = 1;
    }
    *columns = (unsigned)width;
    return c;
}

unsigned top_text_columns(const char *text)
{
    unsigned sum = 0;
    unsigned columns;
    while (top_text_next(&text, &columns))
        sum += columns;
    return sum;
}

// The length in bytes of the beginning of `text` that fits; *used columns.
static size_t fitting_bytes(const char *text, unsigned columns, unsigned *used)
{
    const char *at = text;
    *used = 0;
    for (;;) {
        const char *next = at;
        unsigned width;
        if (!top_text_next(&next, &width) || *used + width > columns)
            return (size_t)(at - text);
        *used += width;
        at = next;
    }
}

static const char *ellipsis(void)
{
    return top_text_is_utf8() ? "…" : "~";
}

// `text` in at most `columns` columns.
static const char *cut(struct arena *arena, const char *text, unsigned columns, unsigned *used)
{
    size_t bytes = fitting_bytes(text, columns, used);
    if (text[bytes] == 0)
        return text;
    if (columns == 0)
        return "";
    bytes = fitting_bytes(text, columns - 1, used);
    ++*used;
    return arena_format(arena, "%.*s%s", (int)bytes, text, ellipsis());
}

const char *top_text_fit(struct arena *arena, const char *text, unsigned columns)
{
    unsigned used;
    const char *shown = cut(arena, text, columns, &used);
    return arena_format(arena, "%s%*s", shown, (int)(columns - used), "");
}

const char *top_text_right(struct arena *arena, const char *text, unsigned columns)
{
    unsigned used;
    const char *shown = cut(arena, text, columns, &used);
    return arena_format(arena, "%*s%s", (int)(columns - used), "", shown);
}

const char *top_text_place(struct arena *arena, const char *text, unsigned columns)
{
    const char *shown = text;
    const char *rest = text;
    size_t path = strcspn(text, " (");
    while (top_text_columns(shown) > columns) {
        const char *slash = memchr(rest + 1, '/', path > 1 ? path - 1 : 0);
        if (!slash)
            break;
        path -= (size_t)(slash - rest);
        rest = slash;
        shown = arena_format(arena, "%s%s", ellipsis(), rest);
    }
    return top_text_fit(arena, shown, columns);
}

const char *top_text_time(struct arena *arena, uint64_t ns)
{
    uint64_t s = ns / 1000000000;
    if (ns < 1000000)
        return "<1 ms";
    if (s == 0)
        return arena_format(arena, "%" PRIu64 " ms", ns / 1000000);
    if (s < 100)
        return arena_format(arena, "%" PRIu64 ".%" PRIu64 " s", s, ns / 100000000 % 10);
    if (s < 6000)
        return arena_format(arena, "%" PRIu64 "m%02" PRIu64 "s", s / 60, s % 60);
    if (s < 172800)
        return arena_format(arena, "%" PRIu64 "h%02" PRIu64 "m", s / 3600, s / 60 % 60);
    if (s < 8640000)
        return arena_format(arena, "%" PRIu64 "d%02" PRIu64 "h", s / 86400, s / 3600 % 24);
    return arena_format(arena, "%" PRIu64 "d", s / 86400);
}

const char *top_text_number(struct arena *arena, uint64_t number)
{
    if (number < 100000)
        return arena_format(arena, "%" PRIu64, number);
    static const char units[] = "kMGTPE";
    double scaled = (double)number / 1000;
    size_t unit = 0;
    for (; scaled >= 999.95 && unit + 2 < sizeof units; unit++)
        scaled /= 1000;
    return arena_format(arena, "%.1f%c", scaled, units[unit]);
}

const char *top_text_rate(struct arena *arena, double per_second)
{
    if (per_second < 0.005)
        return "0";
    if (per_second < 0.995)
        return arena_format(arena, "%.2f", per_second);
    if (per_second < 99.95)
        return arena_format(arena, "%.1f", per_second);
    if (per_second < 9999.5)
        return arena_format(arena, "%.0f", per_second);
    if (per_second < 99950)
        return arena_format(arena, "%.1fk", per_second / 1000);
    if (per_second < 999500)
        return arena_format(arena, "%.0fk", per_second / 1000);
    return arena_format(arena, "%.0fM", per_second / 1e6);
}

const char *top_text_change(struct arena *arena, int64_t change)
{
    const char *size = top_text_number(arena, change < 0 ? -(uint64_t)change : (uint64_t)change);
    return change == 0 ? "0" : arena_format(arena, "%c%s", change < 0 ? '-' : '+', size);
}

const char *top_text_bar(struct arena *arena, uint64_t number, uint64_t capacity, unsigned columns)
{
    const char *label = capacity ? arena_format(arena, "%" PRIu64 "/%" PRIu64, number, capacity)
                                 : arena_format(arena, "%" PRIu64, number);
    unsigned room = columns - 2;
    char *bar = arena_take(arena, columns + 1);
    memset(bar, ' ', columns);
    bar[0] = '[';
    bar[columns - 1] = ']';
    uint64_t filled = capacity ? (number * room + capacity / 2) / capacity : 0;
    if (number > 0 && capacity && filled == 0)
        filled = 1;
    memset(bar + 1, '|', filled < room ? filled : room);
    size_t length = strlen(label);
    if (length <= room)
        memcpy(bar + columns - 1 - length, label, length);
    return bar;
}

const char *top_text_spark(struct arena *arena, const uint64_t *numbers, unsigned count)
{
    static const char *const fine[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    static const char *const coarse[] = {"_", ".", ":", "-", "=", "+", "*", "#"};
    enum { STEPS = sizeof fine / sizeof fine[0] };
    const char *const *steps = top_text_is_utf8() ? fine : coarse;
    uint64_t most = 0;
    for (unsigned i = 0; i < count; i++)
        if (numbers[i] != UINT64_MAX && numbers[i] > most)
            most = numbers[i];
    char *text = arena_take(arena, (size_t)count * strlen(fine[0]) + 1);
    char *at = text;
    for (unsigned i = 0; i < count; i++) {
        if (numbers[i] == UINT64_MAX) {
            *at++ = ' ';
            continue;
        }
        double part = most ? (double)numbers[i] / (double)most : 0;
        size_t step = numbers[i] == 0 ? 0 : 1 + (size_t)(part * (STEPS - 2) + 0.5);
        at = stpcpy(at, steps[step]);
    }
    return text;
}
