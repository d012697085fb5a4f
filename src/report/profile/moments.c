// Who held the pools over time, of the instance with the high-water mark. Pools and sites are
// merged already.
#include "report/profile/build.h"

static struct profile_moment *moments_of(struct arena *arena, struct profile_pool *pool)
{
    if (!pool->moments)
        pool->moments = arena_take(arena, TRACE_TIMELINE_BUCKETS * sizeof *pool->moments);
    return pool->moments;
}

// Sites of a damaged trace, or of one that was read while a bucket began, are left out.
static void add_holder(struct profile_builder *builder, const struct source *source,
                       struct profile_moment *moment, uint32_t ref, uint32_t count)
{
    const struct trace_site *record = reader_site(source->trace, ref);
    struct profile_site *site = record ? profile_site_of(source, ref) : NULL;
    if (count > 0 && (site || (record && record->flags & TRACE_SITE_INHERITED)))
        profile_add_holder(builder->profile->arena, &moment->holders, site, count, 0);
}

static void add_history(struct profile_builder *builder, const struct source *source,
                        const struct trace_history *history)
{
    struct profile_pool *pool = profile_pool_of(source, history->pool);
    if (!pool || !profile_is_peak(pool, source, history->pool) ||
        history->width_ns != pool->timeline->width_ns) // its buckets were being merged
        return;
    struct profile_moment *moments = moments_of(builder->profile->arena, pool);
    for (int i = 0; i < TRACE_TIMELINE_BUCKETS; i++) {
        const struct trace_moment *from = &history->moments[i];
        moments[i].waiting = from->waiting;
        moments[i].timeouts = from->timeouts;
        for (int k = 0; k < TRACE_MOMENT_HOLDERS && i != (int)pool->bucket; k++)
            add_holder(builder, source, &moments[i], from->holders[k].site, from->holders[k].count);
    }
}

// Until a site changes after the bucket's largest number was reached, what is out from it now was
// out then.
static void add_site(struct profile_builder *builder, const struct source *source, uint32_t ref)
{
    const struct trace_site *record = reader_site(source->trace, ref);
    struct profile_pool *pool = profile_pool_of(source, record->pool);
    if (!pool || !profile_is_peak(pool, source, record->pool) || record->kind != TRACE_CHECKOUT)
        return;
    uint32_t high = reader_pool(source->trace, record->pool)->high;
    add_holder(builder, source, &moments_of(builder->profile->arena, pool)[pool->bucket], ref,
               record->high == high ? record->out_at_high : record->out);
}

static void finish(struct profile_pool *pool)
{
    for (int i = 0; pool->moments && i < TRACE_TIMELINE_BUCKETS; i++) {
        profile_holders *holders = &pool->moments[i].holders;
        uint64_t sum = 0;
        profile_sort_holders(holders);
        if (holders->count > TRACE_MOMENT_HOLDERS)
            holders->count = TRACE_MOMENT_HOLDERS;
        for (size_t k = 0; k < holders->count; k++)
            sum += holders->item[k].count;
        if (sum > pool->timeline->most_out[i])
            holders->count = 0; // of another moment
    }
}

void profile_build_moments(struct profile_builder *builder)
{
    for (size_t i = 0; i < builder->sources.count; i++) {
        const struct source *source = builder->sources.item[i];
        const struct trace_reader *trace = source->trace;
        for (uint32_t ref = 0; (ref = reader_next(trace, TRACE_HISTORIES, ref)) != TRACE_NONE;)
            add_history(builder, source, reader_history(trace, ref));
        for (uint32_t ref = 0; (ref = reader_next(trace, TRACE_SITES, ref)) != TRACE_NONE;)
            add_site(builder, source, ref);
    }
    for (size_t i = 0; i < builder->profile->pools.count; i++)
        finish(builder->profile->pools.item[i]);
}
