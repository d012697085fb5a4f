// Sizing: how many sessions a pool needed, and would have needed had all been closed.
//
// Numbers are those of one instance of the pool, the one with the high-water mark; see
// build.h for what is added when. Knows nothing of how they are printed.
#include "report/profile/build.h"

// An average over fewer acquires, or over a time of fewer mean holds, says nothing.
enum { MEAN_ACQUIRES = 10, MEAN_HOLDS = 4 };

static uint64_t smaller(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

// The sum of the `count` shortest holds of a site, estimated from its histogram: never-closed
// sessions that a collector ended are held longer than those that the code released, as a rule.
static double shortest_holds(const struct trace_site *record, uint64_t count)
{
    double sum = 0;
    for (int bucket = 0; bucket < TRACE_HOLD_BUCKETS && count > 0; bucket++) {
        uint64_t here = smaller(record->hold[bucket], count);
        double begin = bucket == 0 ? 0 : (double)(UINT64_C(1000) << (bucket - 1));
        double end = (double)(UINT64_C(1000) << bucket);
        sum += (double)here * (begin + end) / 2;
        count -= here;
    }
    return sum;
}

void profile_size_site(struct profile_sizing *sizing, const struct trace_site *record,
                       const struct profile_tally *tally, uint64_t out, uint64_t leaked_live)
{
    sizing->never_closed += tally->never_closed;
    uint64_t closed = tally->released + tally->discarded + tally->unseen;
    if (closed > 0) {
        sizing->hold_exact = sizing->hold_exact && tally->reclaimed == 0;
        sizing->closed_hold_ns +=
            tally->reclaimed == 0 ? (double)record->total_hold_ns : shortest_holds(record, closed);
        sizing->closed += closed;
    }
    if (tally->never_closed == tally->opened) {
        sizing->leaked_least += out;
        sizing->leaked += out;
        return;
    }
    // Those still open since then are known one by one; of those that a collector ended, each may
    // have been out then, or not.
    uint64_t live = smaller(leaked_live, out);
    sizing->leaked_least += live;
    sizing->leaked += live + smaller(tally->reclaimed, out - live);
}

// Whether they would have come back is not known: they have been out since before the attach.
void profile_size_inherited(struct profile_sizing *sizing, uint64_t out, uint64_t live)
{
    sizing->leaked += smaller(out, live);
    sizing->never_closed += live;
}

void profile_size_pool(struct profile_pool *pool, uint64_t acquires)
{
    struct profile_sizing *sizing = &pool->sizing;
    sizing->acquires = acquires;
    sizing->active_ns = pool->process->seconds_ns; // of the run, and not of its first burst
    if (sizing->active_ns > 0)
        sizing->arrival_per_second = (double)acquires / ((double)sizing->active_ns / 1e9);
    if (sizing->closed > 0)
        sizing->mean_hold_ns = sizing->closed_hold_ns / (double)sizing->closed;
    if (sizing->mean_hold_ns > (double)INT64_MAX) // a damaged trace
        sizing->mean_hold_ns = 0;
    sizing->leaked = smaller(sizing->leaked, pool->high_water);
    sizing->leaked_least = smaller(sizing->leaked_least, sizing->leaked);
    sizing->needed = pool->high_water - sizing->leaked;
}

uint64_t profile_pool_capacity(const struct profile_pool *pool)
{
    if (pool->size == TRACE_UNKNOWN)
        return 0;
    return pool->size + (pool->overflow == TRACE_UNKNOWN ? 0 : (uint64_t)pool->overflow);
}

double profile_mean_out(const struct profile_sizing *sizing)
{
    if (sizing->acquires < MEAN_ACQUIRES ||
        sizing->mean_hold_ns * MEAN_HOLDS > (double)sizing->active_ns)
        return 0;
    return sizing->arrival_per_second * sizing->mean_hold_ns / 1e9;
}

uint64_t profile_most_waiting(const struct profile *profile, const struct profile_pool *pool)
{
    uint64_t most = 0;
    uint64_t capacity = profile_pool_capacity(pool);
    if (capacity == 0 || pool->high_water < capacity)
        return 0;
    if (pool->waiting_known && pool->instances == 1)
        most = pool->waiting;
    for (size_t i = 0; i < profile->exhaustions.count; i++) {
        const struct profile_exhaustion *exhaustion = profile->exhaustions.item[i];
        if (exhaustion->pool != pool || exhaustion->process != pool->process)
            continue;
        uint64_t waiting = exhaustion->waiting > 0 ? exhaustion->waiting : 1; // the one who tells
        if (waiting > most)
            most = waiting;
    }
    return most;
}
