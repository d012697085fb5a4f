// The timeline of a pool (struct trace_timeline, struct trace_history): how many of its sessions
// were out over time, who held them, who waited.
//
// Who held them when a bucket's largest number was reached is known without copying a list each
// time that it rises, in the way of the high-water mark (pools.c): a site remembers the number of
// the rise up to which its `out` has been kept. The list is made when the next bucket begins, which
// is seldom: for a process that runs for a month some thousand times.
//
// Knows the trace. The caller has the lock under which the counters of the pool and its sites
// change.
#ifndef UNCLOSED_RECORDER_BOOKS_TIMELINE_H
#define UNCLOSED_RECORDER_BOOKS_TIMELINE_H

#include <stdbool.h>
#include <stdint.h>

#include "trace/trace_format.h"

// Kept here, because anybody may write over what is in the trace.
struct timeline {
    struct trace_pool *record;
    uint32_t pool; // TRACE_POOLS reference
    uint32_t bucket;
    uint32_t high;
    bool tried; // to make the history
    uint64_t origin_ns, width_ns;
    uint64_t end_ns; // of the bucket
    struct trace_history *history;
    struct timeline_site *sites; // that took from the pool; those found holding something first
};

// Begins the timeline of a new pool.
void timeline_begin(struct timeline *line, struct trace_pool *record, uint32_t pool,
                    uint64_t now_ns);

// Forgets it, and gives back its memory.
void timeline_end(struct timeline *line);

// A site is going to have a session of this pool out for the first time. site: its reference.
void timeline_add_site(struct timeline *line, const struct trace_site *record, uint32_t site);

// An acquire that ended now has waited for `waited_ns`.
void timeline_waited(struct timeline *line, uint64_t waited_ns, bool timed_out, uint64_t now_ns);

void timeline_advance(struct timeline *line, uint64_t now_ns); // only for timeline_reach

// Before anything changes at `now_ns`. A moment before one noted already counts as that one.
static inline void timeline_reach(struct timeline *line, uint64_t now_ns)
{
    if (__builtin_expect(now_ns >= line->end_ns, 0))
        timeline_advance(line, now_ns);
}

// Before a site's `out` changes, after timeline_reach.
static inline void timeline_keep(const struct timeline *line, struct trace_site *site)
{
    if (site->high != line->high) {
        site->out_at_high = site->out;
        site->high = line->high;
    }
}

// After the pool's `out` has risen.
static inline void timeline_note(struct timeline *line, uint32_t out)
{
    uint32_t *most = &line->record->timeline.most_out[line->bucket];
    if (*most < out) {
        *most = out;
        line->record->high = ++line->high;
    }
}

#endif
