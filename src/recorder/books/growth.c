// Timelines of sites: see growth.h.
#include "recorder/books/growth.h"

enum { WIDEST = 1 << 30 }; // two years for a bucket: no clock gets there

// Merges neighbours, so that the timeline reaches twice as far.
static void halve(struct trace_growth *growth)
{
    for (uint32_t i = 0; i < TRACE_GROWTH_BUCKETS / 2; i++) {
        uint32_t a = growth->least_out[2 * i], b = growth->least_out[2 * i + 1];
        growth->least_out[i] = b < a && 2 * i + 1 <= growth->reached ? b : a;
    }
    growth->width *= 2;
    growth->reached /= 2;
}

void growth_reach(struct trace_growth *growth, uint64_t since_ns, uint32_t before)
{
    if (growth->width == 0) // somebody has written over the trace
        return;
    uint64_t bucket = since_ns / TRACE_GROWTH_UNIT_NS / growth->width;
    for (; bucket >= TRACE_GROWTH_BUCKETS && growth->width < WIDEST; bucket /= 2)
        halve(growth);
    if (bucket >= TRACE_GROWTH_BUCKETS)
        bucket = TRACE_GROWTH_BUCKETS - 1;
    while (growth->reached < bucket)
        growth->least_out[++growth->reached] = before;
}
