// The text report on pools: their numbers, and when they were exhausted.
#include <inttypes.h>
#include <string.h>

#include "report/render/text/text.h"

enum { HOLDERS_SHOWN = 6, EXHAUSTIONS_SHOWN = 3 };

void text_holders(const struct text *text, struct sheet_line *line, const profile_holders *holders,
                  bool with_age)
{
    struct arena *arena = text->sheet.arena;
    uint64_t others = 0;
    for (size_t i = 0; i < holders->count; i++) {
        const struct profile_holder *holder = &holders->item[i];
        if (i >= HOLDERS_SHOWN) {
            others += holder->count;
            continue;
        }
        const char *place =
            holder->site ? sheet_place(arena, holder->site->name) : "(pre-existing)";
        const char *age =
            with_age && holder->longest_ns
                ? arena_format(arena, " for %s %s", holder->site ? "up to" : "at least",
                               sheet_duration(arena, holder->longest_ns))
                : "";
        sheet_line_add(line, SHEET_PLAIN,
                       arena_format(arena, "%" PRIu64 " %s%s", holder->count, place, age));
    }
    if (others > 0)
        sheet_line_add(line, SHEET_PLAIN,
                       arena_format(arena, "%" PRIu64 " at %s", others,
                                    text_count(arena, holders->count - HOLDERS_SHOWN, "other site",
                                               "other sites")));
}

static const char *size_words(struct arena *arena, const struct profile_pool *pool)
{
    if (pool->size == TRACE_UNKNOWN)
        return "";
    if (pool->overflow == TRACE_UNKNOWN || pool->overflow == 0)
        return arena_format(arena, "  size %u", pool->size);
    return arena_format(arena, "  size %u + %u", pool->size, pool->overflow);
}

static const char *high_water_words(struct arena *arena, const struct profile_pool *pool)
{
    uint64_t most = profile_pool_capacity(pool);
    const char *limit = most ? arena_format(arena, "/%" PRIu64, most) : "";
    return arena_format(arena, "high-water %" PRIu64 "%s at %s", pool->high_water, limit,
                        sheet_duration(arena, pool->high_water_ns));
}

static void add_waits(struct sheet_line *line, const struct profile_pool *pool)
{
    struct arena *arena = line->sheet->arena;
    if (pool->waits)
        sheet_line_add(line, SHEET_WARN,
                       arena_format(arena, "waited %s, longest %s",
                                    text_count(arena, pool->waits, "time", "times"),
                                    sheet_duration(arena, pool->longest_wait_ns)));
    if (pool->openings)
        sheet_line_add(line, SHEET_PLAIN,
                       arena_format(arena, "%s opened in up to %s",
                                    text_count(arena, pool->openings, "connection", "connections"),
                                    sheet_duration(arena, pool->longest_opening_ns)));
    if (pool->timeouts)
        sheet_line_add(line, SHEET_BAD, text_count(arena, pool->timeouts, "timeout", "timeouts"));
    if (pool->failed > pool->timeouts)
        sheet_line_add(line, SHEET_BAD,
                       arena_format(arena, "%" PRIu64 " failed", pool->failed - pool->timeouts));
    if (pool->waiting && pool->waiting_known)
        sheet_line_add(line, SHEET_BAD,
                       arena_format(arena, "%" PRIu64 " waiting now", pool->waiting));
}

static void print_peak(const struct text *text, const struct profile_pool *pool)
{
    if (pool->holders.count == 0)
        return;
    struct arena *arena = text->sheet.arena;
    struct sheet_line line = sheet_line_begin(&text->sheet, 6);
    sheet_line_add(&line, SHEET_DIM,
                   arena_format(arena, "at the high-water mark (%s)",
                                sheet_duration(arena, pool->high_water_ns)));
    text_holders(text, &line, &pool->holders, false);
    sheet_line_end(&line);
}

static void print_pool(const struct text *text, const struct profile_pool *pool)
{
    const struct sheet *sheet = &text->sheet;
    struct arena *arena = sheet->arena;
    if (pool->acquires + pool->failed + pool->high_water + pool->idle +
            profile_inherited_count(&pool->inherited) ==
        0)
        return;
    fputc('\n', sheet->out);
    sheet_print(sheet, SHEET_BOLD, "pool %s", text_pool_name(arena, pool));
    fprintf(sheet->out, "%s", size_words(arena, pool));
    if (pool->instances > 1)
        fprintf(sheet->out, "  (%" PRIu64 " alike; high-water mark of the fullest)",
                pool->instances);
    fputc('\n', sheet->out);
    struct sheet_line line = sheet_line_begin(sheet, 6);
    uint64_t most = profile_pool_capacity(pool);
    if (pool->high_water > 0)
        sheet_line_add(&line, most && pool->high_water >= most ? SHEET_WARN : SHEET_PLAIN,
                       high_water_words(arena, pool));
    sheet_line_add(&line, SHEET_PLAIN, arena_format(arena, "acquired %" PRIu64, pool->acquires));
    sheet_line_add(
        &line, pool->out && !text->profile->running ? SHEET_BAD : SHEET_PLAIN,
        arena_format(arena, "%" PRIu64 " %s", pool->out,
                     text->profile->running ? "checked out now" : "checked out at the end"));
    add_waits(&line, pool);
    text_add_inherited(&line, &pool->inherited);
    if (pool->idle)
        sheet_line_add(&line, SHEET_PLAIN,
                       arena_format(arena, "%s kept open by the pool",
                                    text_count(arena, pool->idle, "handle", "handles")));
    sheet_line_end(&line);
    print_peak(text, pool);
    text_sizing(text, pool);
}

void text_pools(const struct text *text)
{
    for (size_t i = 0; i < text->profile->pools.count; i++)
        print_pool(text, text->profile->pools.item[i]);
}

// Whether a reader would see no difference but the time.
static bool is_alike(const struct profile_exhaustion *a, const struct profile_exhaustion *b)
{
    if (a->pool != b->pool || a->process != b->process || a->failed != b->failed ||
        a->name != b->name || a->held != b->held || a->holders.count != b->holders.count)
        return false;
    for (size_t i = 0; i < a->holders.count; i++)
        if (a->holders.item[i].site != b->holders.item[i].site ||
            a->holders.item[i].count != b->holders.item[i].count)
            return false;
    return true;
}

// How many are like number `i`, itself included, and the last of them; 0: an earlier one is.
static size_t count_alike(const struct profile *profile, size_t i,
                          const struct profile_exhaustion **last)
{
    size_t alike = 0;
    for (size_t j = 0; j < profile->exhaustions.count; j++) {
        if (!is_alike(profile->exhaustions.item[i], profile->exhaustions.item[j]))
            continue;
        if (j < i)
            return 0;
        alike++;
        *last = profile->exhaustions.item[j];
    }
    return alike;
}

// alike: how many are shown as this one, until `last`.
static void print_exhaustion(const struct text *text, const struct profile_exhaustion *exhaustion,
                             size_t alike, const struct profile_exhaustion *last)
{
    const struct sheet *sheet = &text->sheet;
    struct arena *arena = sheet->arena;
    const char *directory = exhaustion->process->header->directory;
    sheet_print(sheet, SHEET_BAD, "%s exhausted at %s",
                exhaustion->pool ? text_pool_name(arena, exhaustion->pool) : "pool",
                text_clock(arena, exhaustion->process, exhaustion->at_ns));
    fprintf(sheet->out, ": %s %s after %s\n",
            exhaustion->thread[0]
                ? arena_format(arena, "thread %s", sheet_clean(arena, exhaustion->thread, 40))
                : "an acquire",
            exhaustion->failed ? "got no session" : "got its session",
            sheet_duration(arena, exhaustion->waited_ns));
    if (alike > 1)
        fprintf(sheet->out, "      so %zu times, until %s\n", alike,
                text_clock(arena, last->process, last->at_ns));
    fprintf(sheet->out, "      requested at %s\n", sheet_frame(arena, exhaustion->name, directory));
    text_code(text, exhaustion->name, directory, 8);
    struct sheet_line line = sheet_line_begin(sheet, 6);
    sheet_line_add(&line, SHEET_BOLD,
                   arena_format(arena, "%s held it",
                                text_count(arena, exhaustion->held, "session", "sessions")));
    text_holders(text, &line, &exhaustion->holders, true);
    if (exhaustion->waiting > 1)
        sheet_line_add(&line, SHEET_WARN,
                       arena_format(arena, "%u threads waiting", exhaustion->waiting));
    sheet_line_end(&line);
}

// Each kind of exhaustion once, the first ones first: these show who took everything.
void text_exhaustions(const struct text *text)
{
    const struct profile *profile = text->profile;
    const struct profile_exhaustion *last = NULL;
    size_t shown = 0, told = 0, alike;
    for (size_t i = 0; i < profile->exhaustions.count; i++) {
        if (shown == EXHAUSTIONS_SHOWN && !text->options->all_frames)
            break;
        if ((alike = count_alike(profile, i, &last)) == 0)
            continue;
        print_exhaustion(text, profile->exhaustions.item[i], alike, last);
        shown++;
        told += alike;
    }
    const size_t more = profile->exhaustions.count - told;
    if (more > 0)
        fprintf(text->sheet.out, "and %s, until %s\n",
                text_count(text->sheet.arena, more, "more time", "more times"),
                text_clock(text->sheet.arena,
                           profile->exhaustions.item[profile->exhaustions.count - 1]->process,
                           profile->exhaustions.item[profile->exhaustions.count - 1]->at_ns));
    if (shown > 0)
        fputc('\n', text->sheet.out);
}
