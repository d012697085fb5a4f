// Pools: see pools.h and session.h. Knows the trace and sites; nothing of the session table.
//
// The high-water mark names who was out at that moment without copying a list each time it rises:
// a site remembers the number of the peak up to which its `out` has been kept. Before `out` changes
// after a peak, the old value is what was out at the peak.
#include "recorder/books/pools.h"

#include <string.h>

#include "recorder/books/growth.h"
#include "recorder/core/lock_order.h"
#include "recorder/core/recorder.h"
#include "recorder/core/table.h"

enum { MOST_POOLS = 1 << 12 };

static const uint64_t first_width_ns = UINT64_C(1) << 26; // of a timeline bucket: 67 ms

struct lock pools_lock = LOCK_OF(LOCK_POOLS);

struct pool_key {
    uint64_t address;
    uint32_t kind, name;
};
struct pool {
    struct pool_key key;
    struct lock lock; // guards the counters of the record and of the sites of this pool
    struct trace_pool *record;
    uint32_t ref;
    uint64_t origin_ns, width_ns; // of the timeline; anybody may write over what is in the trace
    uint32_t bucket;              // the last one of the timeline that was written
    uint32_t exhaustions;         // written down
    uint32_t failures;            // of these, acquires that failed
    uint64_t next_exhaustion_ns;  // not before
    uint64_t back_ns;             // the last time that a session came back ...
    uint64_t full_back_ns;        // ... to the pool when all it may have were out
    UT_hash_handle hh;
};
static struct pool *pools;
static struct pool no_pool = {.lock = LOCK_OF(LOCK_POOL)}; // for sites of sessions from no pool
static struct pool *by_ref[MOST_POOLS + 1];

void pools_reset(bool give_back)
{
    TABLE_RESET(struct pool, pools, give_back);
    lock_init(&no_pool.lock); // perhaps taken by a thread that is not in this child
    memset(by_ref, 0, sizeof by_ref);
}

void pools_lock_all(void)
{
    lock_take(&pools_lock);
    lock_take(&no_pool.lock);
    for (struct pool *pool = pools; pool; pool = pool->hh.next)
        lock_take(&pool->lock);
}

void pools_unlock_all(void)
{
    for (struct pool *pool = pools; pool; pool = pool->hh.next)
        lock_give(&pool->lock);
    lock_give(&no_pool.lock);
    lock_give(&pools_lock);
}

static struct pool *pool_of(uint32_t ref)
{
    return ref <= MOST_POOLS ? __atomic_load_n(&by_ref[ref], __ATOMIC_ACQUIRE) : NULL;
}

struct trace_pool *pool_record(uint32_t ref)
{
    struct pool *pool = pool_of(ref);
    return pool ? pool->record : NULL;
}

static void describe_new(struct pool *pool)
{
    struct trace_pool *record = pool->record;
    const struct pool_key *key = &pool->key;
    pool->origin_ns = recorder_now();
    pool->width_ns = first_width_ns;
    record->address = key->address;
    record->kind = key->kind;
    record->name = key->name;
    record->size = TRACE_UNKNOWN;
    record->overflow = TRACE_UNKNOWN;
    record->timeout_ms = TRACE_UNKNOWN;
    record->wait_threshold_ns = recorder_options.wait_threshold_ns;
    record->timeline.origin_ns = pool->origin_ns;
    record->timeline.width_ns = pool->width_ns;
}

static struct pool *pool_add(const struct pool_key *key)
{
    struct pool *pool = HASH_COUNT(pools) < MOST_POOLS ? arena_alloc(sizeof *pool) : NULL;
    if (!pool) {
        recorder_lost(TRACE_LOST_SITES);
        return NULL;
    }
    pool->ref = trace_new_record(&recorder_trace, TRACE_POOLS, &pool->record);
    if (!pool->record || pool->ref > MOST_POOLS) {
        arena_free(pool, sizeof *pool);
        return NULL;
    }
    lock_make(&pool->lock, LOCK_POOL);
    pool->key = *key;
    describe_new(pool);
    HASH_ADD(hh, pools, key, sizeof pool->key, pool);
    __atomic_store_n(&by_ref[pool->ref], pool, __ATOMIC_RELEASE);
    return pool;
}

// A thread mostly uses one pool: no lock for that one.
static __thread struct {
    uint32_t generation;
    struct pool *pool;
} last __attribute__((tls_model("initial-exec")));

uint32_t pool_intern(uint32_t kind, uint64_t address, uint32_t name)
{
    struct pool_key key = {.address = address, .kind = kind, .name = address ? TRACE_NONE : name};
    if (last.generation == recorder_generation && last.pool &&
        memcmp(&last.pool->key, &key, sizeof key) == 0)
        return last.pool->ref;
    if (!recorder_trace.header)
        return TRACE_NONE;
    struct pool *pool;
    lock_take(&pools_lock);
    HASH_FIND(hh, pools, &key, sizeof key, pool);
    if (!pool)
        pool = pool_add(&key);
    lock_give(&pools_lock);
    if (!pool)
        return TRACE_NONE;
    if (name != TRACE_NONE && pool->record->name == TRACE_NONE)
        pool->record->name = name;
    last.generation = recorder_generation;
    last.pool = pool;
    return pool->ref;
}

void pool_describe(uint32_t ref, uint32_t name, uint32_t detail, uint32_t size, uint32_t overflow)
{
    struct trace_pool *record = pool_record(ref);
    if (!record)
        return;
    if (name != TRACE_NONE)
        record->name = name;
    if (detail != TRACE_NONE)
        record->detail = detail;
    if (size != TRACE_UNKNOWN)
        record->size = size;
    if (overflow != TRACE_UNKNOWN)
        record->overflow = overflow;
}

// Merges neighbours, so that the timeline reaches twice as far.
static void timeline_halve(struct pool *pool)
{
    struct trace_timeline *line = &pool->record->timeline;
    for (int i = 0; i < TRACE_TIMELINE_BUCKETS / 2; i++) {
        uint32_t a = line->most_out[2 * i], b = line->most_out[2 * i + 1];
        line->most_out[i] = a > b ? a : b;
    }
    memset(line->most_out + TRACE_TIMELINE_BUCKETS / 2, 0, sizeof line->most_out / 2);
    line->width_ns = pool->width_ns *= 2;
    pool->bucket /= 2;
}

// Notes that `before` were out until now and `after` are from now on.
static void timeline_note(struct pool *pool, uint32_t before, uint32_t after, uint64_t now_ns)
{
    struct trace_timeline *line = &pool->record->timeline;
    uint64_t since = now_ns > pool->origin_ns ? now_ns - pool->origin_ns : 0;
    while (since >= pool->width_ns * TRACE_TIMELINE_BUCKETS)
        timeline_halve(pool);
    uint32_t bucket = (uint32_t)(since >> __builtin_ctzll(pool->width_ns));
    while (pool->bucket < bucket) {
        pool->bucket++;
        if (line->most_out[pool->bucket] < before)
            line->most_out[pool->bucket] = before;
    }
    if (line->most_out[bucket] < after)
        line->most_out[bucket] = after;
}

// The lock under which the counters of a site change: that of its pool.
static struct pool *lock_counters(uint32_t ref)
{
    struct pool *pool = pool_of(ref);
    if (!pool)
        pool = &no_pool;
    lock_take(&pool->lock);
    return pool;
}

static void site_keep_peak(struct trace_site *site, uint32_t peak)
{
    if (site->peak != peak) {
        site->out_at_peak = site->out;
        site->peak = peak;
    }
}

static void site_grow(struct trace_site *site, uint32_t before, uint64_t now_ns)
{
    uint64_t since = now_ns > site->first_ns ? now_ns - site->first_ns : 0;
    growth_note(&site->growth, since, before, site->out);
}

// How many sessions may be out of a pool at once; UINT32_MAX: not known.
static uint32_t capacity_of(const struct trace_pool *record)
{
    uint32_t overflow = record->overflow == TRACE_UNKNOWN ? 0 : record->overflow;
    return record->size == TRACE_UNKNOWN ? UINT32_MAX : record->size + overflow;
}

// Whether an acquire that began `took_ns` ago has waited for somebody else's release, and not just
// for a connection to be opened: the pool was full, and one came back meanwhile. Where the size is
// not known, it is enough that one came back.
static bool has_waited(const struct pool *pool, uint64_t took_ns, uint64_t now_ns)
{
    const bool sized = capacity_of(pool->record) != UINT32_MAX;
    return (sized ? pool->full_back_ns : pool->back_ns) + took_ns >= now_ns;
}

// The same of one that failed: nothing may have come back.
static bool has_waited_in_vain(const struct pool *pool, bool timed_out, uint64_t took_ns,
                               uint64_t now_ns)
{
    const uint32_t capacity = capacity_of(pool->record), out = pool->record->out;
    return timed_out || (capacity == UINT32_MAX ? out > 0 : out >= capacity) ||
           has_waited(pool, took_ns, now_ns);
}

static bool is_slow(const struct trace_pool *record, uint64_t took_ns)
{
    return record->wait_threshold_ns > 0 && took_ns >= record->wait_threshold_ns;
}

// An acquire that took longer than one usually does. waited: for somebody else.
static void count_slow(struct trace_pool *record, bool waited, uint64_t took_ns)
{
    if (!waited) {
        record->openings++;
        if (took_ns > record->longest_opening_ns)
            record->longest_opening_ns = took_ns;
        return;
    }
    record->waits++;
    record->total_wait_ns += took_ns;
    if (took_ns > record->longest_wait_ns)
        record->longest_wait_ns = took_ns;
}

static void pool_out(struct pool *pool, uint64_t now_ns)
{
    struct trace_pool *record = pool->record;
    uint32_t out = ++record->out;
    timeline_note(pool, out - 1, out, now_ns);
    if (out > record->high_water) {
        record->high_water = out;
        record->high_water_ns = now_ns;
        record->peak++;
    }
}

// The pool, locked.
static struct pool *count_out(uint32_t ref, struct trace_site *site, uint64_t now_ns)
{
    struct pool *pool = lock_counters(ref);
    if (pool->record)
        site_keep_peak(site, pool->record->peak);
    if (++site->out > site->most_out)
        site->most_out = site->out;
    site_grow(site, site->out - 1, now_ns);
    site->last_ns = now_ns;
    if (pool->record)
        pool_out(pool, now_ns);
    return pool;
}

void pool_count_out(uint32_t ref, struct trace_site *site, uint64_t took_ns, uint64_t now_ns)
{
    struct pool *pool = count_out(ref, site, now_ns);
    if (pool->record) {
        pool->record->acquires++;
        if (is_slow(pool->record, took_ns))
            count_slow(pool->record, has_waited(pool, took_ns, now_ns), took_ns);
    }
    lock_give(&pool->lock);
}

void pool_count_found(uint32_t ref, struct trace_site *site, uint64_t now_ns)
{
    lock_give(&count_out(ref, site, now_ns)->lock);
}

void pool_count_back(uint32_t ref, struct trace_site *site, uint64_t held_ns, uint32_t thread,
                     uint64_t now_ns)
{
    struct pool *pool = lock_counters(ref);
    struct trace_pool *record = pool->record;
    if (record) {
        site_keep_peak(site, record->peak);
        pool->back_ns = now_ns;
        if (record->out >= capacity_of(record))
            pool->full_back_ns = now_ns;
        uint32_t out = record->out > 0 ? --record->out : 0;
        timeline_note(pool, out + 1, out, now_ns);
    }
    site->out--;
    // What an interpreter closes when it shuts down says nothing about growth.
    if (recorder_trace.header->shutdown_ns == 0)
        site_grow(site, site->out + 1, now_ns);
    site->total_hold_ns += held_ns;
    site->hold[site_hold_bucket(held_ns)]++;
    if (held_ns > site->longest_ns) {
        site->longest_ns = held_ns;
        site->longest_thread = thread;
    }
    lock_give(&pool->lock);
}

void pool_count_kept(uint32_t ref, struct trace_site *site, uint64_t held_ns)
{
    struct pool *pool = lock_counters(ref);
    if (pool->record)
        pool->record->out++; // as it was before: no new peak
    site->out++;
    site->total_hold_ns -= held_ns;
    site->hold[site_hold_bucket(held_ns)]--;
    lock_give(&pool->lock);
}

void pool_count_failed(uint32_t ref, bool timed_out, uint64_t took_ns, uint64_t now_ns)
{
    struct pool *pool = pool_of(ref);
    if (!pool)
        return;
    lock_take(&pool->lock);
    pool->record->failed++;
    pool->record->timeouts += timed_out;
    if (is_slow(pool->record, took_ns) && has_waited_in_vain(pool, timed_out, took_ns, now_ns))
        count_slow(pool->record, true, took_ns);
    lock_give(&pool->lock);
}

bool pool_wants_exhaustion(uint32_t ref, bool failed, uint64_t waited_ns, uint64_t now_ns)
{
    enum { MOST_EXHAUSTIONS = 32, FREE_EXHAUSTIONS = 8, FIRST_PAUSE_MS = 100 };
    struct pool *pool = pool_of(ref);
    if (!pool)
        return false;
    lock_take(&pool->lock);
    // Who got a session in the end waited for one of those that are out; if these are all there may
    // be, that is worth telling.
    const uint32_t capacity = capacity_of(pool->record);
    bool wanted = failed || (has_waited(pool, waited_ns, now_ns) &&
                             (capacity == UINT32_MAX || pool->record->out >= capacity));
    // A failure is not left out for others that waited shortly before.
    const bool early = failed && pool->failures < FREE_EXHAUSTIONS;
    wanted = wanted && pool->exhaustions < MOST_EXHAUSTIONS &&
             (early || now_ns >= pool->next_exhaustion_ns);
    if (wanted && !early && ++pool->exhaustions > FREE_EXHAUSTIONS)
        pool->next_exhaustion_ns =
            now_ns + (UINT64_C(1000000) * FIRST_PAUSE_MS << (pool->exhaustions - FREE_EXHAUSTIONS));
    pool->failures += wanted && failed;
    lock_give(&pool->lock);
    return wanted;
}
