// Sessions that were open before the process was forked or attached to: how many there were, what
// became of them, and what is known of those of which no acquire was seen.
//
// The recorder keeps those in sites of their own (TRACE_SITE_INHERITED), whose stack is that of the
// function that had them in a variable at the attach. They are not leaks so far.
#include "report/profile/build.h"
#include "trace/trace_ends.h"

void profile_judge_inherited(const struct source *source, const struct trace_session *record,
                             struct profile_session *session)
{
    const struct trace_site *site = reader_site(source->trace, record->site);
    session->holder = "";
    if (!site || !(site->flags & TRACE_SITE_INHERITED))
        return;
    session->flags |= TRACE_SESSION_INHERITED;
    session->kind = (enum trace_kind)site->kind;
    session->unseen = true;
    if (record->older_s > 0)
        session->age_most_ns = session->age_ns + UINT64_C(1000000000) * record->older_s;
    if (site->kind == TRACE_CHECKOUT) {
        session->holder = session->detail;
        session->detail = "";
    }
    const struct frames *stack = frames_resolve(source->frames, site->stack);
    if (stack->count > 0)
        session->holder_stack = stack;
}

static void count_ended(struct profile_inherited *counts, const struct trace_site *record)
{
    counts->released += trace_count_released(record->ended);
    counts->reclaimed += trace_count_reclaimed(record->ended);
    counts->otherwise += record->ended[TRACE_DISCARDED] + record->ended[TRACE_LOST_RELEASE] +
                         record->ended[TRACE_CLOSER_UNKNOWN];
}

static void add_site(struct profile *profile, const struct source *source, uint32_t ref)
{
    const struct trace_site *record = reader_site(source->trace, ref);
    if (!(record->flags & TRACE_SITE_INHERITED) || record->kind >= TRACE_KINDS)
        return;
    struct profile_pool *pool = profile_pool_of(source, record->pool);
    count_ended(&profile->inherited[record->kind], record);
    if (pool)
        count_ended(&pool->inherited, record);
}

static void add_session(struct profile *profile, const struct profile_session *session)
{
    bool pooled = session->flags & TRACE_SESSION_POOLED;
    if (!(session->flags & TRACE_SESSION_INHERITED))
        return;
    profile->inherited[session->kind].pooled += pooled;
    profile->inherited[session->kind].out += !pooled;
    profile->inherited[session->kind].forked += !session->unseen;
    if (!session->pool || pooled)
        return;
    session->pool->inherited.out++;
    session->pool->inherited.forked += !session->unseen;
}

uint64_t profile_inherited_count(const struct profile_inherited *counts)
{
    return counts->out + counts->pooled + counts->released + counts->reclaimed + counts->otherwise;
}

void profile_build_inherited(struct profile_builder *builder)
{
    struct profile *profile = builder->profile;
    for (size_t i = 0; i < builder->sources.count; i++) {
        const struct source *source = builder->sources.item[i];
        for (uint32_t ref = 0; (ref = reader_next(source->trace, TRACE_SITES, ref)) != TRACE_NONE;)
            add_site(profile, source, ref);
    }
    for (size_t i = 0; i < profile->sessions.count; i++)
        add_session(profile, profile->sessions.item[i]);
}
