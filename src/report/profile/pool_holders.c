// Who held the pools when most of their sessions were out. Pools and sites are merged already.
#include "report/profile/build.h"

// What one trace's site says about the pool that it took from.
static void add_site(struct profile_builder *builder, const struct source *source, uint32_t ref,
                     const struct trace_site *record)
{
    struct profile_pool *pool = profile_pool_of(source, record->pool);
    struct profile_site *site = profile_site_of(source, ref);
    bool inherited = record->flags & TRACE_SITE_INHERITED;
    if (!pool || (!site && !inherited) || record->kind != TRACE_CHECKOUT)
        return;
    if (!profile_is_peak(pool, source, record->pool))
        return;
    // Until a site changes after the peak, what is out from it now was out then.
    uint32_t out = record->peak == reader_pool(source->trace, record->pool)->peak
                       ? record->out_at_peak
                       : record->out;
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
        struct profile_pool *pool = profile_pool_of(source, ref);
        if (pool && profile_is_peak(pool, source, ref))
            profile_size_pool(pool, reader_pool(source->trace, ref)->acquires);
    }
}

// Of the handles that belong to a pool, those of its checkouts are not idle.
static void count_idle(struct profile *profile)
{
    for (size_t i = 0; i < profile->sessions.count; i++) {
        const struct profile_session *session = profile->sessions.item[i];
        if (session->pool)
            session->pool->idle += (session->flags & TRACE_SESSION_POOLED) != 0;
    }
    for (size_t i = 0; i < profile->pools.count; i++) {
        struct profile_pool *pool = profile->pools.item[i];
        pool->idle -= pool->out < pool->idle ? pool->out : pool->idle;
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
    count_idle(profile);
    for (size_t i = 0; i < profile->pools.count; i++)
        profile_sort_holders(&profile->pools.item[i]->holders);
    for (size_t i = 0; i < profile->sites.count; i++) {
        const struct profile_site *site = profile->sites.item[i];
        if (site->pool && site->kind == TRACE_CHECKOUT)
            profile_tally_add(&site->pool->tally, &site->tally);
    }
}
