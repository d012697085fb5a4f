// How often and for how long: churn, and holds read from histograms. See profile.h.
#include "report/profile/profile.h"

enum { CHURN_SESSIONS = 50, CHURN_PER_SECOND = 20 };
static const uint64_t churn_hold_ns = 100000000; // longer ones are work, not churn

// The ends of a bucket, in nanoseconds. The last one is open; its end is as if it were not.
static uint64_t bucket_begin(int bucket)
{
    return bucket == 0 ? 0 : UINT64_C(1000) << (bucket - 1);
}

static uint64_t bucket_end(int bucket)
{
    return UINT64_C(1000) << bucket;
}

uint64_t profile_hold_at(const uint64_t *held, uint64_t rank)
{
    uint64_t before = 0;
    if (rank == 0)
        return 0;
    for (int bucket = 0; bucket < TRACE_HOLD_BUCKETS; bucket++) {
        if (rank - before <= held[bucket]) {
            double width = (double)(bucket_end(bucket) - bucket_begin(bucket));
            double part = ((double)(rank - before) - 0.5) / (double)held[bucket];
            return bucket_begin(bucket) + (uint64_t)(width * part);
        }
        before += held[bucket];
    }
    return UINT64_MAX;
}

bool profile_site_churns(const struct profile_site *site, struct profile_churn *churn)
{
    uint64_t opened = site->tally.opened;
    uint64_t active_ns = site->activity.active_ns;
    // One for each test is as it should be: they are not to share theirs.
    if ((site->kind != TRACE_HANDLE && site->kind != TRACE_CHECKOUT) ||
        opened < CHURN_SESSIONS + site->first_of_tests || active_ns == 0)
        return false;
    churn->rate = (double)opened / ((double)active_ns / 1e9);
    // Of all sessions, not of the ended ones: those still out count as the longest.
    churn->median_ns = profile_hold_at(site->held, opened / 2 + opened % 2);
    if (churn->median_ns > site->longest_ns && churn->median_ns != UINT64_MAX)
        churn->median_ns = site->longest_ns;
    return churn->rate >= CHURN_PER_SECOND && churn->median_ns < churn_hold_ns;
}
