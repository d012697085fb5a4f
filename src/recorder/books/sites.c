// Sites: see sites.h. Knows interned stacks and the trace; nothing of the session table.
//
// Looking up a site is on the path of every acquire. Each thread remembers its last few, by a hash
// of the stack, and compares the frames themselves, so that a hit takes no lock.
#include "recorder/books/sites.h"

#include <stdatomic.h>
#include <string.h>

#include "recorder/core/intern.h"
#include "recorder/core/labels.h"
#include "recorder/core/lock_order.h"
#include "recorder/core/recorder.h"
#include "recorder/core/table.h"
#include "recorder/stacks/modules.h"

enum { MOST_SITES = 1 << 16, CACHED = 8 };

struct lock sites_lock = LOCK_OF(LOCK_SITES);

struct site_key {
    uint32_t stack, created, pool, function, session, test, wrapper, inherited;
};
struct site_entry {
    struct site_key key;
    struct site site;
    const uint64_t *frames; // in the trace
    uint32_t frame_count;
    UT_hash_handle hh;
};
static struct site_entry *sites;

static __thread struct {
    unsigned epoch; // intern_epoch then
    struct {
        uint64_t hash;
        const struct site_entry *entry;
    } slot[CACHED];
} cache __attribute__((tls_model("initial-exec")));

void sites_reset(bool give_back)
{
    TABLE_RESET(struct site_entry, sites, give_back);
}

struct trace_site *site_record(uint32_t site)
{
    return trace_record(&recorder_trace, TRACE_SITES, site);
}

static struct site_entry *site_add(const struct site_key *key, const struct acquire *acquire,
                                   uint64_t now_ns)
{
    if (HASH_COUNT(sites) >= MOST_SITES) {
        recorder_lost(TRACE_LOST_SITES);
        return NULL;
    }
    struct site_entry *entry = arena_alloc(sizeof *entry);
    if (!entry)
        return NULL;
    entry->site.ref = trace_new_record(&recorder_trace, TRACE_SITES, &entry->site.record);
    if (!entry->site.record) {
        arena_free(entry, sizeof *entry);
        return NULL;
    }
    entry->key = *key;
    entry->frames = trace_words(&recorder_trace, TRACE_STACKS, key->stack);
    entry->frames = entry->frames ? entry->frames + 2 : NULL;
    entry->frame_count = entry->frames ? acquire->stack->count : 0;
    struct trace_site *record = entry->site.record;
    record->stack = key->stack;
    record->created = key->created;
    record->pool = key->pool;
    record->function = key->function;
    record->kind = key->session;
    record->test = key->test;
    record->flags =
        (key->wrapper ? TRACE_SITE_WRAPPER : 0) | (key->inherited ? TRACE_SITE_INHERITED : 0);
    record->first_ns = now_ns;
    record->growth.width = 1;
    HASH_ADD(hh, sites, key, sizeof entry->key, entry);
    return entry;
}

static struct site_entry *site_look_up(const struct acquire *acquire, uint64_t now_ns)
{
    struct site_key key = {
        .stack = stack_intern(acquire->stack, now_ns),
        .created = acquire->created,
        .pool = acquire->pool,
        .function = acquire->function,
        .session = acquire->session,
        .test = recorder_test(),
        .wrapper = acquire->wrapper,
        .inherited = acquire->inherited,
    };
    struct site_entry *entry;
    lock_take(&sites_lock);
    HASH_FIND(hh, sites, &key, sizeof key, entry);
    if (!entry)
        entry = site_add(&key, acquire, now_ns);
    lock_give(&sites_lock);
    return entry;
}

static bool is_same(const struct site_entry *entry, const struct acquire *acquire)
{
    return entry->frame_count == acquire->stack->count && entry->key.pool == acquire->pool &&
           entry->key.function == acquire->function && entry->key.created == acquire->created &&
           entry->key.session == acquire->session && entry->key.test == recorder_test() &&
           entry->key.wrapper == acquire->wrapper && entry->key.inherited == acquire->inherited &&
           memcmp(entry->frames, acquire->stack->frames,
                  acquire->stack->count * sizeof acquire->stack->frames[0]) == 0;
}

struct site site_import(const struct acquire *acquire, uint64_t seen_ns)
{
    const struct site_entry *entry = site_look_up(acquire, seen_ns);
    return entry ? entry->site : (struct site){NULL, TRACE_NONE};
}

struct site site_intern(const struct acquire *acquire, uint64_t now_ns)
{
    unsigned epoch = atomic_load_explicit(&intern_epoch, memory_order_acquire);
    if (cache.epoch != epoch) {
        memset(&cache, 0, sizeof cache);
        cache.epoch = epoch;
    }
    const struct stack *stack = acquire->stack;
    uint64_t hash = stack->hash ? stack->hash : stack_hash(stack->frames, stack->count);
    hash ^= ((uint64_t)acquire->pool << 32) + acquire->created;
    unsigned index = (unsigned)(hash % CACHED);
    const struct site_entry *entry = cache.slot[index].entry;
    if (!entry || cache.slot[index].hash != hash || !is_same(entry, acquire)) {
        // Also the moment to look whether modules came or went unseen: a stack is new only now and
        // then.
        (void)modules_refresh();
        entry = site_look_up(acquire, now_ns);
        cache.slot[index].hash = hash;
        cache.slot[index].entry = entry;
    }
    return entry ? entry->site : (struct site){NULL, TRACE_NONE};
}

unsigned site_hold_bucket(uint64_t held_ns)
{
    uint64_t us = held_ns / 1000;
    unsigned bucket = us == 0 ? 0 : 64 - (unsigned)__builtin_clzll(us);
    return bucket < TRACE_HOLD_BUCKETS ? bucket : TRACE_HOLD_BUCKETS - 1;
}
