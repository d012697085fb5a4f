// The timeline of a site (struct trace_growth): how many of its sessions were out, over time.
//
// Knows the trace format only. The caller has the lock under which the counters of the site change.
#ifndef UNCLOSED_RECORDER_BOOKS_GROWTH_H
#define UNCLOSED_RECORDER_BOOKS_GROWTH_H

#include "trace/trace_format.h"

// Makes the timeline reach to `since_ns` after the site's first acquire; `before` were out up to
// then. Only for growth_note.
void growth_reach(struct trace_growth *growth, uint64_t since_ns, uint32_t before);

// Notes that `since_ns` nanoseconds after the site's first acquire `before` sessions were out and
// `after` are from then on. A moment before one noted already counts as that one.
static inline void growth_note(struct trace_growth *growth, uint64_t since_ns, uint32_t before,
                               uint32_t after)
{
    uint64_t end_ns = (uint64_t)(growth->reached + 1) * growth->width * TRACE_GROWTH_UNIT_NS;
    if (__builtin_expect(since_ns >= end_ns, 0))
        growth_reach(growth, since_ns, before);
    if (growth->reached < TRACE_GROWTH_BUCKETS && // if nobody has written over the trace
        after < growth->least_out[growth->reached])
        growth->least_out[growth->reached] = after;
}

#endif
