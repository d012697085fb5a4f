// Pools: merging those of the traces, and who held them when most were out.
#include <string.h>

#include "report/profile/profile_private.h"

#include "report/code/map.h"

// A pool as one trace has it.
struct raw_pool {
    const struct trace_pool *record;
    struct profile_pool *pool; // what it was merged into
};

static struct raw_pool *raw_pool_of(const struct source *source, uint32_t ref)
{
    return map_get(&source->pools, &ref, sizeof ref);
}

struct profile_pool *profile_pool_of(const struct source *source, uint32_t ref)
{
    struct raw_pool *raw = raw_pool_of(source, ref);
    return raw ? raw->pool : NULL;
}

// What makes two pools one: all that a user can tell them by. Of pools without a name those at one
// address are the same, in a forked child as well.
static const char *pool_key(struct arena *arena, const struct source *source,
                            const struct trace_pool *record)
{
    const char *name = reader_string(source->trace, record->name);
    return arena_format(arena, "%s|%s|%s|%u|%u|%llx", reader_string(source->trace, record->kind),
                        name, reader_string(source->trace, record->detail), record->size,
                        record->overflow, name[0] ? 0 : (unsigned long long)record->address);
}

static struct profile_pool *find_merged(struct profile_builder *builder, struct map *all,
                                        const struct source *source,
                                        const struct trace_pool *record)
{
    struct arena *arena = builder->profile->arena;
    const char *key = pool_key(arena, source, record);
    struct profile_pool *pool = map_get_text(all, key);
    if (pool)
        return pool;
    pool = arena_take(arena, sizeof *pool);
    map_add_text(arena, all, key, pool);
    *pool = (struct profile_pool){
        .process = source->process,
        .kind = profile_text(builder, source, record->kind),
        .name = profile_text(builder, source, record->name),
        .detail = profile_text(builder, source, record->detail),
        .address = record->address,
        .size = record->size,
        .overflow = record->overflow,
        .timeout_ms = record->timeout_ms,
        .wait_threshold_ns = record->wait_threshold_ns,
        .sizing.hold_exact = true,
    };
    *LIST_ADD(arena, &builder->profile->pools) = pool;
    return pool;
}

// Who waited when the process ended waits no more. A number this large is a count that went below
// zero.
static void merge_waiting(struct profile_pool *pool, const struct source *source,
                          const struct trace_pool *record)
{
    if (source->trace->state != READER_RUNNING)
        return;
    bool first = pool->running == 0;
    pool->running++;
    pool->waiting_known = (first || pool->waiting_known) && record->waiting <= INT32_MAX;
    pool->waiting += record->waiting;
}

static void merge_pool(struct arena *arena, struct profile_pool *pool, const struct source *source,
                       uint32_t ref, const struct trace_pool *record)
{
    pool->instances++;
    pool->out += record->out;
    pool->acquires += record->acquires;
    pool->failed += record->failed;
    pool->timeouts += record->timeouts;
    pool->waits += record->waits;
    pool->total_wait_ns += record->total_wait_ns;
    merge_waiting(pool, source, record);
    if (pool->longest_wait_ns < record->longest_wait_ns)
        pool->longest_wait_ns = record->longest_wait_ns;
    if (pool->timeline && record->high_water <= pool->high_water)
        return;
    pool->process = source->process;
    pool->high_water = record->high_water;
    pool->high_water_ns = profile_since_start(source, record->high_water_ns);
    struct trace_timeline *timeline = arena_take(arena, sizeof *timeline);
    *timeline = record->timeline;
    pool->timeline = timeline;
    pool->peak_ref = ref;
}

static void add_pools(struct profile_builder *builder, struct source *source, struct map *all)
{
    struct arena *arena = builder->profile->arena;
    for (uint32_t ref = 0; (ref = reader_next(source->trace, TRACE_POOLS, ref)) != TRACE_NONE;) {
        const struct trace_pool *record = reader_pool(source->trace, ref);
        if (record->kind == TRACE_NONE && record->address == 0 && record->name == TRACE_NONE)
            continue; // being made when the trace was read or the process died
        struct profile_pool *pool = find_merged(builder, all, source, record);
        merge_pool(arena, pool, source, ref, record);
        struct raw_pool *raw = arena_take(arena, sizeof *raw);
        *raw = (struct raw_pool){.record = record, .pool = pool};
        map_add(arena, &source->pools, &ref, sizeof ref, raw);
    }
}

void profile_build_pools(struct profile_builder *builder)
{
    struct map all = {0};
    for (size_t i = 0; i < builder->sources.count; i++)
        add_pools(builder, builder->sources.item[i], &all);
    map_clear(&all);
}

bool profile_is_peak(const struct profile_pool *pool, const struct source *source, uint32_t ref)
{
    return pool->peak_ref == ref && pool->process == source->process;
}

// What one trace's site says about the pool that it took from.
static void add_site(struct profile_builder *builder, const struct source *source, uint32_t ref,
                     const struct trace_site *record)
{
    const struct raw_pool *raw = raw_pool_of(source, record->pool);
    struct profile_site *site = profile_site_of(source, ref);
    bool inherited = record->flags & TRACE_SITE_INHERITED;
    if (!raw || (!site && !inherited) || record->kind != TRACE_CHECKOUT)
        return;
    struct profile_pool *pool = raw->pool;
    if (!profile_is_peak(pool, source, record->pool))
        return;
    // Until a site changes after the peak, what is out from it now was out then.
    uint32_t out = record->peak == raw->record->peak ? record->out_at_peak : record->out;
    profile_add_holder(builder->profile->arena, &pool->holders, site, out, 0);
    if (inherited) {
        profile_size_inherited(&pool->sizing, out, record->out);
        return;
    }
    uint64_t leaked_live = 0;
    const struct profile_tally *tally = profile_site_numbers(source, ref, &leaked_live);
    profile_size_site(&pool->sizing, record, tally, out, leaked_live);
}

static void size_pools(const struct source *source)
{
    for (uint32_t ref = 0; (ref = reader_next(source->trace, TRACE_POOLS, ref)) != TRACE_NONE;) {
        const struct raw_pool *raw = raw_pool_of(source, ref);
        if (raw && profile_is_peak(raw->pool, source, ref))
            profile_size_pool(raw->pool, raw->record->acquires);
    }
}

static void count_sessions(struct profile *profile)
{
    for (size_t i = 0; i < profile->sessions.count; i++) {
        const struct profile_session *session = profile->sessions.item[i];
        if (session->pool)
            session->pool->idle += (session->flags & TRACE_SESSION_POOLED) != 0;
    }
}

void profile_finish_pools(struct profile_builder *builder)
{
    struct profile *profile = builder->profile;
    for (size_t i = 0; i < builder->sources.count; i++) {
        const struct source *source = builder->sources.item[i];
        for (uint32_t ref = 0; (ref = reader_next(source->trace, TRACE_SITES, ref)) != TRACE_NONE;)
            add_site(builder, source, ref, reader_site(source->trace, ref));
        size_pools(source);
    }
    count_sessions(profile);
    for (size_t i = 0; i < profile->pools.count; i++)
        profile_sort_holders(&profile->pools.item[i]->holders);
    for (size_t i = 0; i < profile->sites.count; i++) {
        const struct profile_site *site = profile->sites.item[i];
        if (site->pool && site->kind == TRACE_CHECKOUT)
            profile_tally_add(&site->pool->tally, &site->tally);
    }
}

void profile_forget_pools(struct source *source)
{
    map_clear(&source->pools);
}
