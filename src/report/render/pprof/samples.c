// The samples of pprof: what of a site is known by thread and test, the rest of it, and waits.
//
// A trace knows the threads of sessions that are out, and the tests of those never closed. What is
// not known has no label; the sums are those of the site.
#include "report/render/pprof/pprof.h"

// The sessions of a site that are out, of one thread and test.
struct out {
    const struct profile_site *site;
    const char *thread, *test;
    uint64_t count, age_ns;
    struct out *next; // of the same site
};

struct outs {
    struct pprof *pprof;
    struct map by_key;  // struct out
    struct map by_site; // the first struct out of a site
};

static bool is_judged(const struct profile *profile, const struct profile_session *session)
{
    return session->site && session->age_ns >= profile->threshold_ns && !session->releasing &&
           !(session->flags & (TRACE_SESSION_POOLED | TRACE_SESSION_INHERITED));
}

// Texts of a trace are one each: their addresses will do.
static void add_out(struct outs *outs, const struct profile_session *session)
{
    const void *const key[] = {session->site, session->thread, session->test};
    struct arena *arena = outs->pprof->profile->arena;
    struct out *found = map_get(&outs->by_key, key, sizeof key);
    if (!found) {
        found = arena_take(arena, sizeof *found);
        *found = (struct out){session->site, session->thread, session->test, 0, 0, NULL};
        map_add(arena, &outs->by_key, key, sizeof key, found);
        struct out *first = map_get(&outs->by_site, &session->site, sizeof session->site);
        if (first) {
            found->next = first->next;
            first->next = found;
        } else {
            map_add(arena, &outs->by_site, &session->site, sizeof session->site, found);
        }
    }
    found->count++;
    found->age_ns += session->age_ns;
}

static uint64_t take(uint64_t *from, uint64_t most)
{
    const uint64_t taken = *from < most ? *from : most;
    *from -= taken;
    return taken;
}

static uint64_t still_out(const struct profile_tally *tally)
{
    return tally->live + tally->refused + tally->zombie;
}

// Of a test's sessions that were never closed, those that have a sample already.
static uint64_t count_of_test(const struct out *outs, const char *test)
{
    uint64_t count = 0;
    for (; outs; outs = outs->next)
        if (strcmp(outs->test, test) == 0)
            count += outs->count;
    return count;
}

static void add_site(struct outs *outs, const struct profile_site *site)
{
    struct pprof *pprof = outs->pprof;
    struct pprof_labels labels = {
        .kind = profile_kind_name(site->kind),
        .pool = site->pool ? profile_pool_name(pprof->profile->arena, site->pool) : NULL,
    };
    uint64_t never_closed = site->tally.never_closed, held = still_out(&site->tally);
    const struct out *first = map_get(&outs->by_site, &site, sizeof site);
    for (const struct out *out = first; out; out = out->next) {
        labels.thread = out->thread;
        labels.test = out->test;
        const uint64_t count = take(&held, out->count);
        const uint64_t values[PPROF_VALUES] = {
            [PPROF_NEVER_CLOSED] = take(&never_closed, count),
            [PPROF_HELD] = count,
            [PPROF_HOLD_TIME] = out->age_ns,
        };
        pprof_sample(pprof, site->stack, values, &labels);
    }
    labels.thread = NULL;
    for (size_t i = 0; i < site->by_test.count; i++) {
        const struct profile_test *test = &site->by_test.item[i];
        const uint64_t known = count_of_test(first, test->name);
        const uint64_t rest = test->never_closed > known ? test->never_closed - known : 0;
        const uint64_t values[PPROF_VALUES] = {[PPROF_NEVER_CLOSED] = take(&never_closed, rest)};
        labels.test = test->name;
        if (values[PPROF_NEVER_CLOSED] > 0)
            pprof_sample(pprof, site->stack, values, &labels);
    }
    labels.test = NULL;
    const uint64_t values[PPROF_VALUES] = {
        [PPROF_NEVER_CLOSED] = never_closed,
        [PPROF_HELD] = held,
        [PPROF_HOLD_TIME] = site->hold_ns,
        [PPROF_OPENED] = site->tally.opened,
    };
    pprof_sample(pprof, site->stack, values, &labels);
}

// Waits of which the trace has the stack, and how many more there were.
static void add_waits(struct pprof *pprof, const struct profile_pool *pool)
{
    uint64_t waits = pool->waits;
    struct pprof_labels labels = {.pool = profile_pool_name(pprof->profile->arena, pool)};
    for (size_t i = 0; i < pprof->profile->exhaustions.count && waits > 0; i++) {
        const struct profile_exhaustion *exhaustion = pprof->profile->exhaustions.item[i];
        if (exhaustion->pool != pool || !exhaustion->stack)
            continue;
        const uint64_t values[PPROF_VALUES] = {[PPROF_WAITS] = take(&waits, 1)};
        labels.thread = exhaustion->thread;
        pprof_sample(pprof, exhaustion->stack, values, &labels);
    }
    const uint64_t values[PPROF_VALUES] = {[PPROF_WAITS] = waits};
    labels.thread = NULL;
    if (waits > 0)
        pprof_sample(pprof, NULL, values, &labels);
}

void pprof_add_samples(struct pprof *pprof)
{
    const struct profile *profile = pprof->profile;
    struct outs outs = {.pprof = pprof};
    for (size_t i = 0; i < profile->sessions.count; i++)
        if (is_judged(profile, profile->sessions.item[i]))
            add_out(&outs, profile->sessions.item[i]);
    for (size_t i = 0; i < profile->sites.count; i++)
        add_site(&outs, profile->sites.item[i]);
    for (size_t i = 0; i < profile->pools.count; i++)
        add_waits(pprof, profile->pools.item[i]);
    map_clear(&outs.by_key);
    map_clear(&outs.by_site);
}
