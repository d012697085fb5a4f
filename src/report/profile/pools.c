// Pools: merging those of the traces. Who held them is in pool_holders.c.
#include <string.h>

#include "report/profile/build.h"

#include "report/code/map.h"

struct profile_pool *profile_pool_of(const struct source *source, uint32_t ref)
{
    return map_get(&source->pools, &ref, sizeof ref);
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

// What is counted less than it could be is what was written while it was read.
static void merge_times(struct profile_pool *pool, const struct trace_pool *record)
{
    uint64_t slower = 0;
    for (int i = 1; i < TRACE_TOOK_BUCKETS; i++) {
        pool->got[i] += record->got[i];
        slower += record->got[i];
    }
    pool->got[0] += record->acquires > slower ? record->acquires - slower : 0;
    for (int i = 0; i < TRACE_TOOK_BUCKETS; i++)
        pool->created[i] += record->created[i];
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
    pool->openings += record->openings;
    if (pool->longest_opening_ns < record->longest_opening_ns)
        pool->longest_opening_ns = record->longest_opening_ns;
    pool->total_wait_ns += record->total_wait_ns;
    merge_waiting(pool, source, record);
    merge_times(pool, record);
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
    pool->bucket = record->bucket < TRACE_TIMELINE_BUCKETS ? record->bucket : 0;
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
        map_add(arena, &source->pools, &ref, sizeof ref, pool);
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

void profile_forget_pools(struct source *source)
{
    map_clear(&source->pools);
}
