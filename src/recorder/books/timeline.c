// Timelines of pools: see timeline.h.
#include "recorder/books/timeline.h"

#include <string.h>

#include "recorder/core/arena.h"
#include "recorder/core/recorder.h"

enum { MOST_LOOKED_AT = 4096 }; // sites, for the holders of one bucket

static const uint64_t first_width_ns = UINT64_C(1) << 26; // 67 ms; always a power of two

struct timeline_site {
    const struct trace_site *record;
    struct timeline_site *next;
    uint32_t ref;
};

static void bucket_begin(struct timeline *line, uint32_t bucket)
{
    line->bucket = line->record->bucket = bucket;
    line->end_ns = line->origin_ns + (bucket + 1) * line->width_ns;
}

void timeline_begin(struct timeline *line, struct trace_pool *record, uint32_t pool,
                    uint64_t now_ns)
{
    *line = (struct timeline){
        .record = record, .pool = pool, .origin_ns = now_ns, .width_ns = first_width_ns};
    record->timeline.origin_ns = now_ns;
    record->timeline.width_ns = first_width_ns;
    bucket_begin(line, 0);
}

void timeline_end(struct timeline *line)
{
    struct timeline_site *next;
    for (struct timeline_site *site = line->sites; site; site = next) {
        next = site->next;
        arena_free(site, sizeof *site);
    }
    *line = (struct timeline){0};
}

void timeline_add_site(struct timeline *line, const struct trace_site *record, uint32_t site)
{
    struct timeline_site *added = arena_alloc(sizeof *added);
    if (!added)
        return;
    *added = (struct timeline_site){.record = record, .ref = site, .next = line->sites};
    line->sites = added;
}

static struct trace_history *history_of(struct timeline *line)
{
    if (!line->history && !line->tried) {
        line->tried = true;
        (void)trace_new_record(&recorder_trace, TRACE_HISTORIES, &line->history);
        if (line->history) {
            line->history->pool = line->pool;
            line->history->width_ns = line->width_ns;
        }
    }
    return line->history;
}

static void insert(struct trace_moment_holder holders[TRACE_MOMENT_HOLDERS], uint32_t site,
                   uint32_t count)
{
    int at = TRACE_MOMENT_HOLDERS - 1;
    if (holders[at].count >= count)
        return;
    for (; at > 0 && holders[at - 1].count < count; at--)
        holders[at] = holders[at - 1];
    holders[at] = (struct trace_moment_holder){.site = site, .count = count};
}

// The sites that held most when the bucket's largest number was reached: `out` sessions in all.
static void collect(struct timeline *line, uint32_t out,
                    struct trace_moment_holder holders[TRACE_MOMENT_HOLDERS])
{
    struct timeline_site **link = &line->sites, *site;
    uint64_t found = 0;
    memset(holders, 0, sizeof *holders * TRACE_MOMENT_HOLDERS);
    for (int i = 0; i < MOST_LOOKED_AT && found < out && (site = *link); i++) {
        const struct trace_site *record = site->record;
        uint32_t count = record->high == line->high ? record->out_at_high : record->out;
        if (count == 0 || link == &line->sites) {
            link = &site->next;
        } else { // it will be looked at among the first the next time
            *link = site->next;
            site->next = line->sites;
            line->sites = site;
        }
        if (count > 0)
            insert(holders, site->ref, count);
        found += count;
    }
}

static void moment_merge(struct trace_moment *to, const struct trace_moment *a, bool a_is_larger,
                         const struct trace_moment *b)
{
    struct trace_moment merged = a_is_larger ? *a : *b;
    merged.waiting = a->waiting > b->waiting ? a->waiting : b->waiting;
    merged.timeouts = a->timeouts + b->timeouts;
    *to = merged;
}

// Merges neighbours, so that the timeline reaches twice as far.
static void halve(struct timeline *line)
{
    enum { HALF = TRACE_TIMELINE_BUCKETS / 2 };
    uint32_t *most = line->record->timeline.most_out;
    struct trace_moment *moments = line->history ? line->history->moments : NULL;
    for (int i = 0; i < HALF; i++) {
        uint32_t a = most[2 * i], b = most[2 * i + 1];
        if (moments)
            moment_merge(&moments[i], &moments[2 * i], a >= b, &moments[2 * i + 1]);
        most[i] = a > b ? a : b;
    }
    memset(most + HALF, 0, sizeof *most * HALF);
    if (moments)
        memset(moments + HALF, 0, sizeof *moments * HALF);
    line->record->timeline.width_ns = line->width_ns *= 2;
    line->bucket /= 2;
    if (moments)
        line->history->width_ns = line->width_ns;
}

// All buckets up to this one had the same number out, held by the same.
static void fill(struct timeline *line, uint32_t bucket, uint32_t out)
{
    uint32_t *most = line->record->timeline.most_out;
    struct trace_moment_holder holders[TRACE_MOMENT_HOLDERS];
    line->record->high = ++line->high; // that of all these is what is out now
    if (line->history && line->bucket + 1 < bucket)
        collect(line, out, holders);
    for (uint32_t i = line->bucket + 1; i <= bucket; i++) {
        most[i] = out;
        if (line->history && i < bucket)
            memcpy(line->history->moments[i].holders, holders, sizeof holders);
    }
}

void timeline_advance(struct timeline *line, uint64_t now_ns)
{
    const uint64_t since = now_ns - line->origin_ns;
    if (history_of(line))
        collect(line, line->record->timeline.most_out[line->bucket],
                line->history->moments[line->bucket].holders);
    while (since >= line->width_ns * TRACE_TIMELINE_BUCKETS)
        halve(line);
    const uint32_t bucket = (uint32_t)(since / line->width_ns);
    fill(line, bucket, line->record->out);
    bucket_begin(line, bucket);
}

void timeline_waited(struct timeline *line, uint64_t waited_ns, bool timed_out, uint64_t now_ns)
{
    timeline_reach(line, now_ns);
    if (!history_of(line))
        return;
    const uint64_t since = now_ns > line->origin_ns ? now_ns - line->origin_ns : 0;
    const uint64_t from = since > waited_ns ? (since - waited_ns) / line->width_ns : 0;
    for (uint64_t i = from; i <= line->bucket; i++)
        line->history->moments[i].waiting++;
    line->history->moments[line->bucket].timeouts += timed_out;
}
