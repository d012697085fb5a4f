// Pools: see pools.h and session.h. Knows the trace and sites; nothing of the session table.
//
// The high-water mark names who was out at that moment without copying a list each time it rises:
// a site remembers the number of the peak up to which its `out` has been kept. Before `out` changes
// after a peak, the old value is what was out at the peak.
#include "recorder/books/pools.h"

#include <string.h>

#include "recorder/books/growth.h"
#include "recorder/books/timeline.h"
#include "recorder/core/lock_order.h"
#include "recorder/core/recorder.h"
#include "recorder/core/table.h"

enum { MOST_POOLS = 1 << 12 };

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
    struct timeline timeline;
    uint32_t exhaustions;        // written down
    uint32_t failures;           // of these, acquires that failed
    uint64_t next_exhaustion_ns; // not before
    uint64_t back_ns;            // the last time that a session came back ...
    uint64_t full_back_ns;       // ... to the pool when all it may have were out
    UT_hash_handle hh;
};
static struct pool *pools;
static struct pool no_pool = {.lock = LOCK_OF(LOCK_POOL)}; // for sites of sessions from no pool
static struct pool *by_ref[MOST_POOLS + 1];

void pools_reset(bool give_back)
{
    for (struct pool *pool = give_back ? pools : NULL; pool; pool = pool->hh.next)
        timeline_end(&pool->timeline);
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
    record->address = key->address;
    record->kind = key->kind;
    record->name = key->name;
    record->size = TRACE_UNKNOWN;
    record->overflow = TRACE_UNKNOWN;
    record->timeout_ms = TRACE_UNKNOWN;
    record->wait_threshold_ns = recorder_options.wait_threshold_ns;
    timeline_begin(&pool->timeline, record, pool->ref, recorder_now());
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

// An acquire that took longer than one usually does, and did not wait for somebody else.
static void count_opening(struct trace_pool *record, uint64_t took_ns)
{
    record->openings++;
    if (took_ns > record->longest_opening_ns)
        record->longest_opening_ns = took_ns;
}

// One that waited.
static void count_wait(struct pool *pool, bool timed_out, uint64_t took_ns, uint64_t now_ns)
{
    struct trace_pool *record = pool->record;
    record->waits++;
    record->total_wait_ns += took_ns;
    if (took_ns > record->longest_wait_ns)
        record->longest_wait_ns = took_ns;
    timeline_waited(&pool->timeline, took_ns, timed_out, now_ns);
}

// The bucket of struct trace_pool's times.
static unsigned took_bucket(uint64_t took_ns)
{
    uint64_t units = took_ns >> TRACE_TOOK_SHIFT;
    unsigned bucket = units == 0 ? 0 : 64 - (unsigned)__builtin_clzll(units);
    return bucket < TRACE_TOOK_BUCKETS ? bucket : TRACE_TOOK_BUCKETS - 1;
}

// A session of a pool's could be had, in longer than the clock's ticks.
static void count_late(struct pool *pool, uint64_t took_ns, uint64_t now_ns)
{
    pool->record->got[took_bucket(took_ns)]++;
    if (!is_slow(pool->record, took_ns))
        return;
    if (has_waited(pool, took_ns, now_ns))
        count_wait(pool, false, took_ns, now_ns);
    else
        count_opening(pool->record, took_ns);
}

static void pool_out(struct pool *pool, uint64_t now_ns)
{
    struct trace_pool *record = pool->record;
    uint32_t out = ++record->out;
    timeline_note(&pool->timeline, out);
    if (out > record->high_water) {
        record->high_water = out;
        record->high_water_ns = now_ns;
        record->peak++;
    }
}

// Before a session goes out of the pool or comes back.
static void keep(struct pool *pool, struct trace_site *site, uint64_t now_ns)
{
    timeline_reach(&pool->timeline, now_ns);
    timeline_keep(&pool->timeline, site);
    site_keep_peak(site, pool->record->peak);
}

// More sessions of the site are out than ever before.
static void site_rises(struct pool *pool, struct site site)
{
    if (site.record->most_out == 0 && pool->record)
        timeline_add_site(&pool->timeline, site.record, site.ref);
    site.record->most_out = site.record->out;
}

// The pool, locked.
static struct pool *count_out(uint32_t ref, struct site counted, uint64_t now_ns)
{
    struct pool *pool = lock_counters(ref);
    struct trace_site *site = counted.record;
    if (pool->record)
        keep(pool, site, now_ns);
    if (++site->out > site->most_out)
        site_rises(pool, counted);
    site_grow(site, site->out - 1, now_ns);
    site->last_ns = now_ns;
    if (pool->record)
        pool_out(pool, now_ns);
    return pool;
}

void pool_count_out(uint32_t ref, struct site site, uint64_t took_ns, uint64_t now_ns)
{
    struct pool *pool = count_out(ref, site, now_ns);
    if (pool->record) {
        pool->record->acquires++;
        if (__builtin_expect(took_ns >> TRACE_TOOK_SHIFT != 0, 0) || is_slow(pool->record, took_ns))
            count_late(pool, took_ns, now_ns);
    }
    lock_give(&pool->lock);
}

void pool_count_created(uint32_t ref, uint64_t took_ns)
{
    struct pool *pool = pool_of(ref);
    if (!pool)
        return;
    lock_take(&pool->lock);
    pool->record->created[took_bucket(took_ns)]++;
    lock_give(&pool->lock);
}

void pool_count_found(uint32_t ref, struct site site, uint64_t now_ns)
{
    lock_give(&count_out(ref, site, now_ns)->lock);
}

void pool_count_back(uint32_t ref, struct trace_site *site, uint64_t held_ns, uint32_t thread,
                     uint64_t now_ns)
{
    struct pool *pool = lock_counters(ref);
    struct trace_pool *record = pool->record;
    if (record) {
        keep(pool, site, now_ns);
        pool->back_ns = now_ns;
        if (record->out >= capacity_of(record))
            pool->full_back_ns = now_ns;
        record->out -= record->out > 0;
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

// A hold that was counted is none.
static void take_out_hold(struct trace_site *site, uint64_t held_ns)
{
    site->total_hold_ns -= held_ns;
    site->hold[site_hold_bucket(held_ns)]--;
}

void pool_count_kept(uint32_t ref, struct trace_site *site, uint64_t held_ns)
{
    struct pool *pool = lock_counters(ref);
    if (pool->record)
        pool->record->out++; // as it was before: no new peak
    site->out++;
    take_out_hold(site, held_ns);
    lock_give(&pool->lock);
}

void pool_count_unheld(uint32_t ref, struct trace_site *site, uint64_t held_ns)
{
    struct pool *pool = lock_counters(ref);
    take_out_hold(site, held_ns);
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
        count_wait(pool, timed_out, took_ns, now_ns);
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
    // Where nothing is out, an acquire has failed for another reason: the server is down.
    bool wanted = (failed && pool->record->out > 0) ||
                  (has_waited(pool, waited_ns, now_ns) &&
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
