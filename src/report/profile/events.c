// Pool exhaustion, misuse, and functions that were requested but never called.
#include <stdlib.h>
#include <string.h>

#include "report/profile/build.h"

#include "report/code/map.h"
#include "shared/trace_words.h"

static const struct frame *user_frame(const struct frames *frames)
{
    size_t index = frames_user(frames, 0);
    return index < frames->count ? &frames->frame[index] : NULL;
}

static int compare_held(const void *a, const void *b)
{
    const struct profile_held *x = a;
    const struct profile_held *y = b;
    return (x->acquired_ns > y->acquired_ns) - (x->acquired_ns < y->acquired_ns);
}

static struct profile_exhaustion *new_exhaustion(struct profile_builder *builder,
                                                 const struct source *source,
                                                 const struct trace_exhaustion *record)
{
    struct arena *arena = builder->profile->arena;
    struct profile_exhaustion *exhaustion = arena_take(arena, sizeof *exhaustion);
    *exhaustion = (struct profile_exhaustion){
        .process = source->process,
        .at_ns = profile_since_start(source, record->at_ns),
        .waited_ns = record->waited_ns,
        .pool = profile_pool_of(source, record->pool),
        .stack = frames_resolve(source->frames, record->stack),
        .thread = profile_text(builder, source, record->thread),
        .failed = record->failed != 0,
        .waiting = record->waiting <= INT32_MAX ? record->waiting : 0, // else a miscount
        .held = record->holder_count,
    };
    exhaustion->name = user_frame(exhaustion->stack);
    exhaustion->sessions =
        arena_take(arena, record->holder_count * sizeof *exhaustion->sessions + 1);
    for (uint32_t i = 0; i < record->holder_count; i++) {
        const struct trace_holder *holder = &record->holders[i];
        uint64_t held_ns =
            record->at_ns > holder->acquired_ns ? record->at_ns - holder->acquired_ns : 0;
        profile_add_holder(arena, &exhaustion->holders, profile_site_of(source, holder->site), 1,
                           held_ns);
        exhaustion->sessions[i] = (struct profile_held){
            .site = profile_site_of(source, holder->site),
            .thread = profile_text(builder, source, holder->thread),
            .acquired_ns = profile_since_start(source, holder->acquired_ns),
        };
    }
    qsort(exhaustion->sessions, record->holder_count, sizeof *exhaustion->sessions, compare_held);
    profile_sort_holders(&exhaustion->holders);
    return exhaustion;
}

static int compare_exhaustions(const void *a, const void *b)
{
    const struct profile_exhaustion *x = *(struct profile_exhaustion *const *)a;
    const struct profile_exhaustion *y = *(struct profile_exhaustion *const *)b;
    uint64_t at[] = {x->process->header->start_realtime + x->at_ns,
                     y->process->header->start_realtime + y->at_ns};
    return (at[0] > at[1]) - (at[0] < at[1]);
}

void profile_build_exhaustions(struct profile_builder *builder)
{
    struct profile *profile = builder->profile;
    for (size_t i = 0; i < builder->sources.count; i++) {
        const struct source *source = builder->sources.item[i];
        for (uint32_t ref = 0;
             (ref = reader_next(source->trace, TRACE_EXHAUSTIONS, ref)) != TRACE_NONE;)
            *LIST_ADD(profile->arena, &profile->exhaustions) =
                new_exhaustion(builder, source, reader_exhaustion(source->trace, ref));
    }
    LIST_SORT(&profile->exhaustions, compare_exhaustions);
}

// The misuse of the same kind, by the same function, from the same place.
static struct profile_misuse *find_misuse(const struct profile *profile,
                                          enum trace_misuse_kind kind, const char *function,
                                          const struct frame *name)
{
    for (size_t i = 0; i < profile->misuses.count; i++) {
        struct profile_misuse *misuse = profile->misuses.item[i];
        if (misuse->kind != kind || strcmp(misuse->function, function) != 0)
            continue;
        const struct frame *other = misuse->name;
        if (name == other)
            return misuse;
        if (name && other && name->line == other->line && name->offset == other->offset &&
            strcmp(name->file ? name->file : "", other->file ? other->file : "") == 0)
            return misuse;
    }
    return NULL;
}

static void add_misuse(struct profile_builder *builder, const struct source *source,
                       const struct trace_misuse *record)
{
    struct profile *profile = builder->profile;
    const struct frames *stack = frames_resolve(source->frames, record->stack);
    const struct trace_function *function = reader_function(source->trace, record->function);
    const char *called = function ? profile_text(builder, source, function->name) : "";
    const struct frame *name = user_frame(stack);
    struct profile_misuse *misuse = find_misuse(profile, record->kind, called, name);
    if (!misuse) {
        misuse = arena_take(profile->arena, sizeof *misuse);
        *misuse = (struct profile_misuse){
            .kind = record->kind,
            .process = source->process,
            .function = called,
            .name = name,
            .stack = stack,
            .first_ns = profile_since_start(source, record->first_ns),
        };
        *LIST_ADD(profile->arena, &profile->misuses) = misuse;
    }
    misuse->count += record->count;
    misuse->last_ns = profile_since_start(source, record->last_ns);
    misuse->handle = record->handle;
    misuse->database = profile_text(builder, source, record->database);
    misuse->thread = profile_text(builder, source, record->thread);
    if (!misuse->site)
        misuse->site = profile_site_of(source, record->site);
}

static int compare_misuses(const void *a, const void *b)
{
    const struct profile_misuse *x = *(struct profile_misuse *const *)a;
    const struct profile_misuse *y = *(struct profile_misuse *const *)b;
    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    return (x->first_ns > y->first_ns) - (x->first_ns < y->first_ns);
}

void profile_build_misuses(struct profile_builder *builder)
{
    struct profile *profile = builder->profile;
    for (size_t i = 0; i < builder->sources.count; i++) {
        const struct source *source = builder->sources.item[i];
        for (uint32_t ref = 0;
             (ref = reader_next(source->trace, TRACE_MISUSES, ref)) != TRACE_NONE;) {
            const struct trace_misuse *record = reader_misuse(source->trace, ref);
            if (record->kind != 0) // else it was being made when the process died
                add_misuse(builder, source, record);
        }
    }
    LIST_SORT(&profile->misuses, compare_misuses);
}

struct asked { // a traced function
    const char *name;
    uint64_t calls;
    bool asked;
    enum trace_patch patch; // the latest of what kept its calls from being seen
};

static bool has_sqlite(const struct profile_builder *builder, const struct source *source)
{
    for (uint32_t ref = 0; (ref = reader_next(source->trace, TRACE_MODULES, ref)) != TRACE_NONE;) {
        const struct trace_module *module = reader_module(source->trace, ref);
        if (strstr(profile_text(builder, source, module->path), "/libsqlite3.so"))
            return true;
    }
    return false;
}

static bool starts(const char *name, const char *with)
{
    return strncmp(name, with, strlen(with)) == 0;
}

// Whether an attached process has SQLite, and yet nothing was seen that it does with it: either
// nothing, or by addresses that it got before. (SQLite has a table of its own functions: that some
// place was hooked does not mean that anybody calls.)
static bool misses_sqlite(const struct profile_builder *builder, const struct source *source)
{
    if (!(source->trace->header.flags & TRACE_FLAG_ATTACHED))
        return false;
    for (uint32_t ref = 0;
         (ref = reader_next(source->trace, TRACE_FUNCTIONS, ref)) != TRACE_NONE;) {
        const struct trace_function *function = reader_function(source->trace, ref);
        if (function->calls > 0 &&
            starts(profile_text(builder, source, function->name), "sqlite3_"))
            return false;
    }
    return has_sqlite(builder, source);
}

static void add_asked(struct profile_builder *builder, const struct source *source, struct map *all)
{
    struct arena *arena = builder->profile->arena;
    const bool missed = misses_sqlite(builder, source);
    for (uint32_t ref = 0;
         (ref = reader_next(source->trace, TRACE_FUNCTIONS, ref)) != TRACE_NONE;) {
        const struct trace_function *function = reader_function(source->trace, ref);
        const char *name = profile_text(builder, source, function->name);
        // Of functions that only use a handle few calls matter.
        const bool inside = function->verb != TRACE_USE && trace_words_patch(function->patch);
        const bool wanted = function->asked || (missed && starts(name, "sqlite3_open"));
        if ((!wanted && !inside) || name[0] == 0)
            continue;
        struct asked *asked = map_get_text(all, name);
        if (!asked) {
            asked = arena_take(arena, sizeof *asked);
            asked->name = name;
            map_add_text(arena, all, name, asked);
        }
        asked->calls += function->calls;
        asked->asked |= wanted;
        if (inside)
            asked->patch = function->patch;
    }
}

static void add_unseen(void *value, void *data)
{
    const struct asked *asked = value;
    struct profile *profile = data;
    if (asked->asked && asked->calls == 0)
        *LIST_ADD(profile->arena, &profile->unseen) = asked->name;
    if (!trace_words_patch(asked->patch))
        return;
    struct profile_inside *inside = arena_take(profile->arena, sizeof *inside);
    *inside = (struct profile_inside){asked->name, trace_words_patch(asked->patch)};
    *LIST_ADD(profile->arena, &profile->inside) = inside;
}

void profile_build_unseen(struct profile_builder *builder)
{
    struct map all = {0};
    for (size_t i = 0; i < builder->sources.count; i++)
        add_asked(builder, builder->sources.item[i], &all);
    map_each(&all, add_unseen, builder->profile);
    map_clear(&all);
}
