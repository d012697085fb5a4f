// Timelines: see timeline.h.
#include "cli/top/timeline.h"

#include "cli/top/text.h"

// A timeline of a trace: numbers[i] is that of `width_ns` from origin_ns + i * width_ns on, counted
// from the start of the process.
struct line {
    int64_t origin_ns;
    uint64_t width_ns;
    const uint64_t *numbers;
    unsigned count;
    bool largest; // of several numbers the largest is meant, else the smallest
};

// The number of [from_ns, to_ns); UINT64_MAX: before the beginning.
static uint64_t number_of(const struct line *line, int64_t from_ns, int64_t to_ns)
{
    if (to_ns <= line->origin_ns || line->count == 0)
        return UINT64_MAX;
    uint64_t from = from_ns > line->origin_ns ? (uint64_t)(from_ns - line->origin_ns) : 0;
    uint64_t to = (uint64_t)(to_ns - line->origin_ns);
    uint64_t first = from / line->width_ns;
    uint64_t last = (to - 1) / line->width_ns;
    if (first >= line->count)
        first = line->count - 1;
    if (last >= line->count)
        last = line->count - 1;
    uint64_t number = line->numbers[first];
    for (uint64_t i = first + 1; i <= last; i++)
        if (line->largest == (line->numbers[i] > number))
            number = line->numbers[i];
    return number;
}

static const char *drawn(struct arena *arena, const struct line *line, uint64_t length_ns,
                         unsigned columns)
{
    uint64_t *numbers = arena_take(arena, columns * sizeof *numbers);
    for (unsigned i = 0; i < columns; i++)
        numbers[i] = number_of(line, (int64_t)(length_ns / columns * i),
                               (int64_t)(length_ns / columns * (i + 1)));
    return top_text_spark(arena, numbers, columns);
}

const char *top_timeline_site(struct arena *arena, const struct profile_site *site,
                              unsigned columns)
{
    const struct profile_growth *growth = &site->growth;
    if (growth->width_ns == 0)
        return "";
    const struct line line = {
        .origin_ns = growth->origin_ns,
        .width_ns = growth->width_ns,
        .numbers = growth->least_out,
        .count = growth->count,
    };
    return drawn(arena, &line, growth->process->seconds_ns, columns);
}

const char *top_timeline_pool(struct arena *arena, const struct profile_pool *pool,
                              unsigned columns)
{
    const struct trace_timeline *timeline = pool->timeline;
    const struct profile_process *process = pool->process;
    if (!timeline || timeline->width_ns == 0)
        return "";
    uint64_t start = process->header->start_ns;
    uint64_t *numbers = arena_take(arena, TRACE_TIMELINE_BUCKETS * sizeof *numbers);
    struct line line = {
        .origin_ns = timeline->origin_ns > start ? (int64_t)(timeline->origin_ns - start) : 0,
        .width_ns = timeline->width_ns,
        .numbers = numbers,
        .count = TRACE_TIMELINE_BUCKETS,
        .largest = true,
    };
    unsigned written = 0;
    for (unsigned i = 0; i < TRACE_TIMELINE_BUCKETS; i++) {
        numbers[i] = timeline->most_out[i];
        written = numbers[i] ? i + 1 : written;
    }
    // A bucket is written when something is taken or given back: since then it is what is out now.
    for (unsigned i = written; i < TRACE_TIMELINE_BUCKETS; i++)
        numbers[i] = pool->instances == 1 ? pool->out : 0;
    return drawn(arena, &line, process->seconds_ns, columns);
}
