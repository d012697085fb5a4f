// The part of the text report about the size that a pool needs, with the arithmetic.
#include <inttypes.h>

#include "report/render/text/text.h"

static void print_rate(const struct text *text, const struct profile_sizing *sizing)
{
    struct arena *arena = text->sheet.arena;
    double mean_out = profile_mean_out(sizing);
    if (mean_out <= 0)
        return;
    const char *about = sizing->hold_exact ? "" : "about ";
    sheet_wrap(
        &text->sheet, SHEET_PLAIN, 6,
        arena_format(
            arena,
            "on average: %" PRIu64
            " acquires in %s = %s per second, x %s%s mean hold of those closed = %s%s checked out",
            sizing->acquires, sheet_duration(arena, sizing->active_ns),
            text_decimal(arena, sizing->arrival_per_second), about,
            sheet_duration(arena, (uint64_t)sizing->mean_hold_ns), about,
            text_decimal(arena, mean_out)));
}

// "2", or "2 to 5" where it is not known which sessions leaked.
static const char *range(struct arena *arena, uint64_t least, uint64_t most)
{
    if (least == 0 && most > 0)
        return arena_format(arena, "at most %" PRIu64, most);
    return least == most ? arena_format(arena, "%" PRIu64, least)
                         : arena_format(arena, "%" PRIu64 " to %" PRIu64, least, most);
}

// Whether the size is enough for what was needed and for those that waited.
static const char *verdict(struct arena *arena, const struct profile_pool *pool, uint64_t waiting)
{
    const struct profile_sizing *sizing = &pool->sizing;
    uint64_t capacity = profile_pool_capacity(pool);
    uint64_t least = sizing->needed + waiting;
    uint64_t most = pool->high_water - sizing->leaked_least + waiting;
    const char *fixed = sizing->leaked > 0 ? " with the leaks fixed" : "";
    if (capacity == 0)
        return "";
    if (most <= capacity)
        return arena_format(arena, ": %" PRIu64 " %s enough%s", capacity,
                            capacity == 1 ? "is" : "are", fixed);
    if (least <= capacity)
        return arena_format(arena, ": %" PRIu64 " may be enough%s", capacity, fixed);
    return arena_format(arena, ": %" PRIu64 " %s too few%s", capacity, capacity == 1 ? "is" : "are",
                        sizing->leaked > 0 ? " even with the leaks fixed" : "");
}

static const char *not_closed_words(const struct text *text)
{
    return text->profile->running ? "not closed so far" : "never closed";
}

static void print_need(const struct text *text, const struct profile_pool *pool)
{
    struct arena *arena = text->sheet.arena;
    const struct profile_sizing *sizing = &pool->sizing;
    uint64_t waiting = profile_most_waiting(text->profile, pool);
    uint64_t most = pool->high_water - sizing->leaked_least;
    if (most == 0) { // all were leaked: how many the others need is not known
        sheet_wrap(&text->sheet, SHEET_PLAIN, 6,
                   arena_format(arena,
                                "at its peak: high-water %" PRIu64 ", all held by sessions %s; how "
                                "many it needs shows when these are closed",
                                pool->high_water, not_closed_words(text)));
        return;
    }
    const char *words = arena_format(
        arena, "at its peak: high-water %" PRIu64 " - %s held by sessions %s = %s needed",
        pool->high_water, range(arena, sizing->leaked_least, sizing->leaked),
        not_closed_words(text), range(arena, sizing->needed, most));
    if (sizing->leaked > 0)
        words = arena_format(arena, "%s without leaks", words);
    if (waiting > 0)
        words = arena_format(arena, "%s, + %" PRIu64 " that waited = %s", words, waiting,
                             range(arena, sizing->needed + waiting, most + waiting));
    sheet_wrap(&text->sheet, SHEET_PLAIN, 6,
               arena_format(arena, "%s%s", words, verdict(arena, pool, waiting)));
}

void text_sizing(const struct text *text, const struct profile_pool *pool)
{
    uint64_t capacity = profile_pool_capacity(pool);
    bool full = capacity > 0 && pool->high_water >= capacity;
    if (pool->high_water == 0 ||
        (pool->sizing.never_closed == 0 && pool->failed == 0 && (pool->waits == 0 || !full)))
        return;
    if (capacity == 0) // a pool without a limit needs none, and its average tells nothing
        return;
    print_rate(text, &pool->sizing);
    print_need(text, pool);
}
