// Building a profile from traces: see profile.h.
#include "report/profile/profile.h"

#include <stdlib.h>
#include <string.h>

#include "report/profile/build.h"

struct profile_builder *profile_begin(uint64_t threshold_ns, struct profile_cache *cache)
{
    struct arena *arena = arena_new();
    struct profile_builder *builder = arena_take(arena, sizeof *builder);
    builder->profile = arena_take(arena, sizeof *builder->profile);
    builder->profile->arena = arena;
    builder->profile->threshold_ns = threshold_ns;
    if (!cache)
        cache = builder->profile->own_cache = profile_cache_new();
    builder->cache = cache;
    builder->profile->code = profile_cache_code(cache);
    return builder;
}

void profile_ask(struct profile_builder *builder, const struct profile_asking *asking)
{
    builder->asking = *asking;
}

void profile_suppress(struct profile_builder *builder, struct suppressions *suppressions)
{
    builder->suppressions = suppressions;
    builder->profile->suppressions = suppressions;
}

void profile_add_problem(struct profile_builder *builder, const char *message)
{
    struct profile *profile = builder->profile;
    *LIST_ADD(profile->arena, &profile->problems) = arena_text(profile->arena, message);
}

void profile_add(struct profile_builder *builder, struct trace_reader *trace)
{
    struct profile *profile = builder->profile;
    struct arena *arena = profile->arena;
    for (size_t i = 0; i < trace->problem_count; i++)
        profile_add_problem(builder, trace->problems[i]);
    struct profile_process *process = arena_take(arena, sizeof *process);
    struct trace_header *header = arena_take(arena, sizeof *header);
    *header = trace->header;
    *process = (struct profile_process){
        .header = header,
        .trace = arena_text(arena, trace->path),
        .state = trace->state,
        .seconds_ns = trace->end_ns - header->start_ns,
        .end_known = trace->end_known,
    };
    for (int reason = 0; reason < TRACE_LOST_REASONS; reason++)
        process->lost += header->lost[reason];
    *LIST_ADD(arena, &profile->processes) = process;
    profile->running += trace->state == READER_RUNNING;
    code_text_restrict(profile_cache_code(builder->cache), trace->owner);
    symbols_restrict(profile_cache_symbols(builder->cache), trace->owner);
    struct source *source = arena_take(arena, sizeof *source);
    source->trace = trace;
    source->process = process;
    source->frames = profile_cache_frames(builder->cache, trace);
    *LIST_ADD(arena, &builder->sources) = source;
}

static int compare_numbers(uint64_t a, uint64_t b) // the larger one first
{
    return (a < b) - (a > b);
}

// Worst first: most never closed, then most late, then longest held.
static int compare_sites(const void *a, const void *b)
{
    const struct profile_site *x = *(struct profile_site *const *)a;
    const struct profile_site *y = *(struct profile_site *const *)b;
    int order = compare_numbers(x->tally.never_closed, y->tally.never_closed);
    if (order == 0)
        order = compare_numbers(x->tally.late, y->tally.late);
    if (order == 0)
        order = compare_numbers(x->longest_ns, y->longest_ns);
    if (order == 0)
        order = compare_numbers(x->tally.opened, y->tally.opened);
    return order ? order : strcmp(x->id, y->id);
}

static int compare_processes(const void *a, const void *b)
{
    const struct profile_process *x = *(struct profile_process *const *)a;
    const struct profile_process *y = *(struct profile_process *const *)b;
    uint64_t started[] = {x->header->start_realtime, y->header->start_realtime};
    if (started[0] != started[1])
        return started[0] < started[1] ? -1 : 1;
    return (x->header->pid > y->header->pid) - (x->header->pid < y->header->pid);
}

static int compare_sources(const void *a, const void *b)
{
    return compare_processes(&(*(struct source *const *)a)->process,
                             &(*(struct source *const *)b)->process);
}

static void sum_up(struct profile *profile)
{
    for (size_t i = 0; i < profile->sites.count; i++) {
        const struct profile_site *site = profile->sites.item[i];
        profile_tally_add(&profile->totals[site->kind], &site->tally);
    }
    for (int kind = TRACE_HANDLE; kind < TRACE_KINDS; kind++) // they belong to no site's tally
        profile->totals[kind].inherited = profile_inherited_count(&profile->inherited[kind]);
    for (int kind = TRACE_HANDLE; kind < TRACE_KINDS; kind++)
        if (kind != TRACE_STATEMENT)
            profile_tally_add(&profile->total, &profile->totals[kind]);
}

struct profile *profile_finish(struct profile_builder *builder)
{
    struct profile *profile = builder->profile;
    // The same order of both, so that what is merged does not depend on the order of the arguments.
    LIST_SORT(&profile->processes, compare_processes);
    LIST_SORT(&builder->sources, compare_sources);
    for (size_t i = 0; i < profile->processes.count; i++)
        profile->processes.item[i]->index = (unsigned)i;
    profile_build_pools(builder);
    profile_build_sites(builder);
    profile_build_now(builder);
    profile_finish_pools(builder);
    profile_build_moments(builder);
    profile_build_exhaustions(builder);
    profile_build_misuses(builder);
    profile_build_unseen(builder);
    profile_build_blind(builder);
    profile_build_inherited(builder);
    LIST_SORT(&profile->sites, compare_sites);
    sum_up(profile);
    const struct symbols *symbols = profile_cache_symbols(builder->cache);
    for (size_t i = 0; i < symbols_problem_count(symbols); i++)
        profile_add_problem(builder, symbols_problem(symbols, i));
    for (size_t i = 0; i < builder->sources.count; i++) {
        struct source *source = builder->sources.item[i];
        profile_forget_sites(source);
        profile_forget_pools(source);
        reader_close(source->trace);
    }
    return profile;
}

void profile_free(struct profile *profile)
{
    if (!profile)
        return;
    profile_cache_free(profile->own_cache);
    arena_free(profile->arena);
}
