// Sites: naming those of the traces, merging equal ones, judging their sessions.
#include <stdlib.h>
#include <string.h>

#include "report/code/naming.h"
#include "report/code/owners.h"
#include "report/profile/build.h"
#include "report/profile/suppressions.h"
#include "trace/trace_ends.h"

#include "report/code/map.h"

// A site as one trace has it.
struct raw_site {
    const struct source *source;
    uint32_t ref;
    const struct trace_site *record;
    const struct frames *acquire, *created;
    struct profile_tally tally;
    struct profile_tally counted; // before suppressions: what pools had to do with
    uint64_t longest_live_ns, in_transaction, exceptions; // of those still out
    uint64_t leaked_live;                                 // see profile_site_numbers
    profile_names threads, tests, tasks, databases, details;
    struct profile_site *site; // what it was merged into
    struct naming naming;      // the frame that names it
    bool suppressed;
};

typedef LIST(struct raw_site *) raw_sites;

static struct raw_site *raw_site_of(const struct source *source, uint32_t ref)
{
    return map_get(&source->sites, &ref, sizeof ref);
}

struct profile_site *profile_site_of(const struct source *source, uint32_t ref)
{
    struct raw_site *raw = raw_site_of(source, ref);
    return raw ? raw->site : NULL;
}

const struct profile_tally *profile_site_numbers(const struct source *source, uint32_t ref,
                                                 uint64_t *leaked_live)
{
    const struct raw_site *raw = raw_site_of(source, ref);
    if (!raw)
        return NULL;
    *leaked_live = raw->leaked_live;
    return &raw->counted;
}

// Of the ended sessions, those certainly held longer than `threshold_ns`. The recorder counts
// exactly, for its own threshold; for another one the histogram gives a lower bound.
static uint64_t count_late(const struct source *source, const struct trace_site *record,
                           uint64_t threshold_ns)
{
    uint64_t recorded = source->trace->header.threshold_ns;
    if (threshold_ns == 0 || threshold_ns == recorded)
        return recorded ? record->late : 0;
    uint64_t late = 0;
    for (int bucket = 1; bucket < TRACE_HOLD_BUCKETS; bucket++)
        if ((UINT64_C(1000) << (bucket - 1)) >= threshold_ns)
            late += record->hold[bucket];
    // The histogram holds all ended sessions, also those that are never-closed for us.
    uint64_t released = trace_count_released(record->ended) + record->ended[TRACE_DISCARDED];
    return late < released ? late : released;
}

static void count_ended(const struct profile *profile, struct raw_site *raw)
{
    const uint64_t *ended = raw->record->ended;
    struct profile_tally *tally = &raw->tally;
    tally->released = trace_count_released(ended);
    tally->scope_end = ended[TRACE_RELEASED_SCOPE];
    tally->at_exit = ended[TRACE_RELEASED_EXIT];
    tally->pooled = tally->pool_ended = ended[TRACE_KEPT_BY_POOL];
    tally->closer_unknown = ended[TRACE_CLOSER_UNKNOWN];
    tally->discarded = ended[TRACE_DISCARDED];
    tally->unseen = ended[TRACE_LOST_RELEASE];
    tally->shutdown = ended[TRACE_SHUTDOWN];
    tally->collected = ended[TRACE_COLLECTED];
    tally->request = ended[TRACE_REQUEST];
    tally->reclaimed = trace_count_reclaimed(ended);
    tally->never_closed = tally->reclaimed;
    tally->failed = raw->record->failed;
    tally->late = count_late(raw->source, raw->record, profile->threshold_ns);
    for (int end = 0; end < TRACE_ENDS; end++)
        tally->opened += ended[end];
}

// Not listed: sites being made when the trace was read or the process died, and handles that a
// handle of another kind stands for.
static bool is_hidden(const struct trace_site *record)
{
    return record->kind == 0 || (record->flags & TRACE_SITE_WRAPPER);
}

static void add_raw_sites(struct profile_builder *builder, struct source *source, raw_sites *list)
{
    struct arena *arena = builder->profile->arena;
    for (uint32_t ref = 0; (ref = reader_next(source->trace, TRACE_SITES, ref)) != TRACE_NONE;) {
        const struct trace_site *record = reader_site(source->trace, ref);
        if (is_hidden(record) || (record->flags & TRACE_SITE_INHERITED))
            continue;
        struct raw_site *raw = arena_take(arena, sizeof *raw);
        raw->source = source;
        raw->ref = ref;
        raw->record = record;
        raw->acquire = frames_resolve(source->frames, record->stack);
        if (record->created != TRACE_NONE)
            raw->created = frames_resolve(source->frames, record->created);
        count_ended(builder->profile, raw);
        map_add(arena, &source->sites, &ref, sizeof ref, raw);
        *LIST_ADD(arena, list) = raw;
    }
}

// Judges a session that is still out. Handles kept by a pool are no leak; what is out for less than
// the threshold may still come back.
static void count_session(const struct profile *profile, struct raw_site *raw,
                          struct profile_session *session)
{
    struct profile_tally *tally = &raw->tally;
    if (session->flags & TRACE_SESSION_INHERITED)
        return;
    tally->opened++;
    if (session->flags & TRACE_SESSION_POOLED) {
        tally->pooled++;
        return;
    }
    if (session->releasing) {
        tally->releasing++;
        return;
    }
    if (session->age_ns < profile->threshold_ns) {
        tally->below++;
        return;
    }
    if (profile_is_under_way(raw->record, session)) {
        tally->under_way++;
        return;
    }
    tally->never_closed++;
    session->never_closed = true;
    if (session->flags & TRACE_SESSION_ZOMBIE)
        tally->zombie++;
    else if (session->flags & TRACE_SESSION_REFUSED)
        tally->refused++;
    else
        tally->live++;
    if (session->flags & TRACE_SESSION_LOST)
        tally->lost++;
    else if (session->process->state == READER_RUNNING &&
             !(session->flags & (TRACE_SESSION_ZOMBIE | TRACE_SESSION_REFUSED)))
        tally->held++;
    tally->overdue += session->overdue;
    tally->thread_ended += (session->flags & TRACE_SESSION_THREAD_ENDED) != 0;
    if (session->age_ns > raw->longest_live_ns)
        raw->longest_live_ns = session->age_ns;
    const struct profile_pool *pool = profile_pool_of(raw->source, raw->record->pool);
    raw->leaked_live += pool && profile_is_peak(pool, raw->source, raw->record->pool) &&
                        session->acquired_ns <= pool->high_water_ns;
    raw->exceptions += (session->flags & TRACE_SESSION_EXCEPTION) != 0;
    raw->in_transaction += (session->flags & TRACE_SESSION_TRANSACTION) != 0;
    struct arena *arena = profile->arena;
    profile_count_name(arena, &raw->threads, session->thread, 1);
    if (raw->record->test == TRACE_NONE)
        profile_count_name(arena, &raw->tests, session->test, 1);
    profile_count_name(arena, &raw->tasks, session->task, 1);
    profile_count_name(arena, &raw->databases, session->database, 1);
    profile_count_name(arena, &raw->details, session->detail, 1);
}

// Whether a session that is out is so for longer than the threshold: the one asked for, else that
// of the recorder.
static bool is_overdue(const struct profile *profile, const struct source *source,
                       const struct profile_session *session)
{
    uint64_t threshold_ns =
        profile->threshold_ns ? profile->threshold_ns : source->trace->header.threshold_ns;
    return threshold_ns > 0 && session->age_ns > threshold_ns &&
           !(session->flags & (TRACE_SESSION_POOLED | TRACE_SESSION_INHERITED));
}

static struct profile_session *new_session(struct profile_builder *builder,
                                           const struct source *source, uint32_t slot,
                                           const struct trace_session *record)
{
    struct profile_session *session = arena_take(builder->profile->arena, sizeof *session);
    uint64_t end = source->trace->end_ns;
    *session = (struct profile_session){
        .process = source->process,
        .pool = profile_pool_of(source, record->owner),
        .kind = record->owner != TRACE_NONE ? TRACE_CHECKOUT : TRACE_HANDLE,
        .flags = record->flags,
        .releasing = record->state == TRACE_SLOT_RELEASING,
        .tid = record->tid,
        .handle = record->handle,
        .slot = slot,
        .age_ns = end > record->acquired_ns ? end - record->acquired_ns : 0,
        .acquired_ns = profile_since_start(source, record->acquired_ns),
        .thread = profile_text(builder, source, record->thread),
        .database = profile_text(builder, source, record->database),
        .detail = profile_text(builder, source, record->detail),
        .test = profile_text(builder, source, record->test),
        .task = profile_text(builder, source, record->task),
    };
    if (record->flags & TRACE_SESSION_POOLED)
        session->kind = TRACE_HANDLE;
    profile_judge_inherited(source, record, session);
    if (profile_thread_has_ended(source->trace, record))
        session->flags |= TRACE_SESSION_THREAD_ENDED;
    session->age_least = session->unseen || !source->process->end_known;
    session->overdue = is_overdue(builder->profile, source, session);
    return session;
}

struct pending { // a session whose site has no name yet
    struct profile_session *session;
    struct raw_site *raw;
};
typedef LIST(struct pending) pending_sessions;

static void add_sessions(struct profile_builder *builder, struct source *source,
                         pending_sessions *list)
{
    for (uint32_t ref = 0; (ref = reader_next(source->trace, TRACE_SESSIONS, ref)) != TRACE_NONE;) {
        const struct trace_session *record = reader_session(source->trace, ref);
        const struct trace_site *site = reader_site(source->trace, record->site);
        // A release that has begun has not ended: the session is still held.
        if ((record->state != TRACE_SLOT_LIVE && record->state != TRACE_SLOT_RELEASING) ||
            (site && is_hidden(site)))
            continue;
        struct profile_session *session = new_session(builder, source, ref, record);
        struct raw_site *raw = raw_site_of(source, record->site);
        if (raw) {
            session->kind = raw->record->kind;
            if (!session->pool)
                session->pool = profile_pool_of(source, raw->record->pool);
            count_session(builder->profile, raw, session);
        }
        *LIST_ADD(builder->profile->arena, list) = (struct pending){session, raw};
    }
}

// Which of two stacks is named: where the object was created, if the user's code is seen there.
static const struct frames *naming_stack(const struct raw_site *raw)
{
    if (raw->created) {
        size_t index = frames_user(raw->created, 0);
        if (index < raw->created->count && raw->created->frame[index].owner == FRAME_USER)
            return raw->created;
    }
    return raw->acquire;
}

// FNV-1a; 40 bits of it keep some million sites apart well enough to be shown to people.
static void make_id(struct profile_site *site, const char *key)
{
    uint64_t hash = 0xcbf29ce484222325u;
    for (; *key; key++)
        hash = (hash ^ (unsigned char)*key) * 0x100000001b3u;
    static const char digits[] = "0123456789abcdef";
    for (int i = 0; i < 10; i++)
        site->id[i] = digits[hash >> (60 - 4 * i) & 15];
}

// What makes two sites one. A path below the working directory counts from there, so that the
// same program in another folder has the same sites.
static const char *site_key(struct arena *arena, const struct raw_site *raw,
                            const struct frame *name)
{
    const char *kind = profile_kind_name(raw->record->kind);
    if (!name)
        return arena_format(arena, "%s|?", kind);
    const char *function = name->function ? name->function : "";
    if (name->file && name->line) {
        const char *file = name->file;
        const char *directory = raw->source->trace->header.directory;
        size_t length = strlen(directory);
        if (length > 1 && strncmp(file, directory, length) == 0 && file[length] == '/')
            file += length + 1;
        return arena_format(arena, "%s|%s|%u|%s", kind, file, name->line, function);
    }
    return arena_format(arena, "%s|%s|%llx|%s", kind,
                        name->module ? owners_base_name(name->module) : "",
                        (unsigned long long)name->offset, function);
}

static struct profile_site *find_merged(struct profile_builder *builder, struct map *all,
                                        const struct raw_site *raw, const struct frame *name)
{
    struct arena *arena = builder->profile->arena;
    const char *key = site_key(arena, raw, name);
    struct profile_site *site = map_get_text(all, key);
    if (site)
        return site;
    site = arena_take(arena, sizeof *site);
    map_add_text(arena, all, key, site);
    make_id(site, key);
    site->kind = raw->record->kind;
    site->name = name;
    site->function = "";
    site->pool_kind = "";
    site->first_ns = UINT64_MAX;
    *LIST_ADD(arena, &builder->profile->sites) = site;
    return site;
}

// The stack shown is that of the most never-closed sessions.
static void choose_stack(struct profile_builder *builder, struct profile_site *site,
                         const struct raw_site *raw, const struct naming *naming)
{
    const struct profile_tally *shown = &site->shown;
    bool more = raw->tally.never_closed != shown->never_closed
                    ? raw->tally.never_closed > shown->never_closed
                    : raw->tally.opened > shown->opened;
    if (site->process && !more)
        return;
    site->shown = raw->tally;
    site->process = raw->source->process;
    site->stack = raw->acquire;
    site->created = raw->created;
    site->name =
        naming->index < naming->frames->count ? &naming->frames->frame[naming->index] : NULL;
    site->via = naming->via < naming->frames->count ? &naming->frames->frame[naming->via] : NULL;
    const struct trace_function *function =
        reader_function(raw->source->trace, raw->record->function);
    if (function) {
        site->function = profile_text(builder, raw->source, function->name);
        site->pool_kind = profile_text(builder, raw->source, function->kind);
    }
}

static void merge_names(struct arena *arena, profile_names *to, const profile_names *from)
{
    for (size_t i = 0; i < from->count; i++)
        profile_count_name(arena, to, from->item[i].name, from->item[i].count);
}

static uint64_t larger(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

// Sites come process by process.
static void extend_activity(struct profile_activity *activity,
                            const struct profile_process *process, uint64_t first_ns,
                            uint64_t last_ns)
{
    if (last_ns < first_ns)
        last_ns = first_ns;
    if (activity->process != process) {
        activity->process = process;
        activity->first_ns = first_ns;
        activity->last_ns = last_ns;
        activity->active_ns += last_ns - first_ns;
        return;
    }
    activity->active_ns -= activity->last_ns - activity->first_ns;
    if (first_ns < activity->first_ns)
        activity->first_ns = first_ns;
    activity->last_ns = larger(activity->last_ns, last_ns);
    activity->active_ns += activity->last_ns - activity->first_ns;
}

static void merge_numbers(struct profile_site *site, const struct raw_site *raw)
{
    const struct trace_site *record = raw->record;
    profile_tally_add(&site->tally, &raw->tally);
    site->refusals += record->refusals;
    site->zombies += record->zombies;
    site->exceptions += (raw->suppressed ? 0 : record->exceptions) + raw->exceptions;
    site->in_transaction += raw->in_transaction;
    site->longest_live_ns = larger(site->longest_live_ns, raw->longest_live_ns);
    if (larger(record->longest_ns, raw->longest_live_ns) >= site->longest_ns) {
        site->longest_ns = larger(record->longest_ns, raw->longest_live_ns);
        site->longest_least = raw->longest_live_ns >= record->longest_ns && raw->tally.live > 0 &&
                              !raw->source->process->end_known;
    }
    site->hold_ns += record->total_hold_ns;
    for (int end = 0; end < TRACE_ENDS; end++)
        site->holds += record->ended[end];
    for (int bucket = 0; bucket < TRACE_HOLD_BUCKETS; bucket++)
        site->held[bucket] += record->hold[bucket];
    uint64_t first = profile_since_start(raw->source, record->first_ns);
    uint64_t last = profile_since_start(raw->source, record->last_ns);
    if (first < site->first_ns)
        site->first_ns = first;
    site->last_ns = larger(site->last_ns, last);
    extend_activity(&site->activity, raw->source->process, first, last);
    if (!site->pool)
        site->pool = profile_pool_of(raw->source, record->pool);
}

// The test, and the task of the last acquire, of sessions that the collector or interpreter
// shutdown ended: those still out have said their own.
static void merge_context(struct profile_builder *builder, struct profile_site *site,
                          const struct raw_site *raw)
{
    struct arena *arena = builder->profile->arena;
    const struct trace_site *record = raw->record;
    uint64_t never_closed = trace_count_reclaimed(record->ended);
    if (never_closed == 0 || raw->suppressed)
        return;
    profile_count_name(arena, &site->tests, profile_text(builder, raw->source, record->test),
                       never_closed);
    if (raw->tasks.count == 0)
        profile_count_name(arena, &site->tasks, profile_text(builder, raw->source, record->task),
                           never_closed);
}

static bool is_same_place(const struct frame *a, const struct frame *b)
{
    const char *files[] = {a->file ? a->file : "", b->file ? b->file : ""};
    return a->line == b->line && (a->line > 0 || a->offset == b->offset) &&
           strcmp(files[0], files[1]) == 0;
}

// Who called the function that names the site: the line above it.
static void merge_caller(struct arena *arena, struct profile_site *site, const struct raw_site *raw)
{
    const struct naming *naming = &raw->naming;
    if (naming->caller >= naming->frames->count || raw->tally.opened == 0)
        return;
    const struct frame *frame = &naming->frames->frame[naming->caller];
    size_t i = 0;
    while (i < site->callers.count && !is_same_place(site->callers.item[i].frame, frame))
        i++;
    if (i == site->callers.count)
        *LIST_ADD(arena, &site->callers) = (struct profile_caller){.frame = frame};
    struct profile_caller *caller = &site->callers.item[i];
    caller->opened += profile_judged(&raw->tally);
    caller->never_closed += raw->tally.never_closed;
}

static int compare_callers(const void *a, const void *b)
{
    const struct profile_caller *x = a, *y = b;
    if (x->never_closed != y->never_closed)
        return x->never_closed > y->never_closed ? -1 : 1;
    return (x->opened < y->opened) - (x->opened > y->opened);
}

static void count_test(struct arena *arena, struct profile_site *site, const char *name,
                       uint64_t never_closed, uint64_t longest_ns)
{
    if (name[0] == 0 || never_closed == 0)
        return;
    profile_count_name(arena, &site->tests, name, never_closed);
    size_t i = site->by_test.count; // from the end: sites of one test follow each other
    while (i > 0 && strcmp(site->by_test.item[i - 1].name, name) != 0)
        i--;
    struct profile_test *test = i > 0 ? &site->by_test.item[i - 1] : NULL;
    if (!test) {
        test = LIST_ADD(arena, &site->by_test);
        *test = (struct profile_test){.name = name};
    }
    test->never_closed += never_closed;
    test->longest_ns = larger(test->longest_ns, longest_ns);
}

// A trace's site is of one test, so that leaks that a collector ended are known by test as well.
static void merge_tests(struct profile_builder *builder, struct profile_site *site,
                        const struct raw_site *raw)
{
    struct arena *arena = builder->profile->arena;
    uint64_t longest_ns = larger(raw->record->longest_ns, raw->longest_live_ns);
    const char *test = profile_text(builder, raw->source, raw->record->test);
    if (test[0] == 0)
        test = profile_unittest_of(arena, raw->acquire);
    site->first_of_tests += test[0] && raw->tally.opened > 0;
    uint64_t named = test[0] ? raw->tally.never_closed : 0;
    count_test(arena, site, test, named, longest_ns);
    for (size_t i = 0; i < raw->tests.count; i++) { // without a test of the site
        count_test(arena, site, raw->tests.item[i].name, raw->tests.item[i].count,
                   raw->longest_live_ns);
        named += raw->tests.item[i].count;
    }
    raw->source->process->has_tests |= named > 0;
    if (named < raw->tally.never_closed)
        *LIST_ADD(arena, &site->untested) = (struct profile_untested){
            raw->source->process, raw->tally.never_closed - named, longest_ns};
}

// What is known of ended sessions only from their site: the thread of the longest, the last
// task and database. Counted once where no session still out says more.
static void merge_texts(struct profile_builder *builder, struct profile_site *site,
                        const struct raw_site *raw)
{
    struct arena *arena = builder->profile->arena;
    merge_names(arena, &site->threads, &raw->threads);
    merge_tests(builder, site, raw);
    merge_names(arena, &site->tasks, &raw->tasks);
    merge_names(arena, &site->databases, &raw->databases);
    merge_names(arena, &site->details, &raw->details);
    if (raw->threads.count == 0)
        profile_count_name(arena, &site->threads,
                           profile_text(builder, raw->source, raw->record->longest_thread), 1);
    if (raw->tasks.count == 0 && raw->tally.never_closed > 0)
        profile_count_name(arena, &site->tasks,
                           profile_text(builder, raw->source, raw->record->task), 1);
    if (raw->databases.count == 0)
        profile_count_name(arena, &site->databases,
                           profile_text(builder, raw->source, raw->record->database), 1);
    merge_context(builder, site, raw);
}

// Where sessions of a stack were seen later: their releases, and the first use of one. A session
// that was created elsewhere is used first where it takes its connection.
static void add_ways(struct arena *arena, const struct raw_site *raw, struct naming *naming)
{
    const struct trace_site *record = raw->record;
    struct frames_reader *reader = raw->source->frames;
    naming->ways = arena_take(arena, (TRACE_WAYS + 1) * sizeof *naming->ways);
    for (int i = 0; i < TRACE_WAYS; i++)
        if (record->ways[i].stack != TRACE_NONE)
            naming->ways[naming->way_count++] = (struct naming_way){
                .frames = frames_resolve(reader, record->ways[i].stack),
                .count = record->ways[i].count,
                .release = true,
            };
    const struct frames *used = naming->frames == raw->created ? raw->acquire
                                : record->used != TRACE_NONE ? frames_resolve(reader, record->used)
                                                             : NULL;
    if (used)
        naming->ways[naming->way_count++] = (struct naming_way){.frames = used, .count = 1};
}

// Takes what would be never closed out of all numbers.
static void suppress(struct raw_site *raw, struct suppression *suppression)
{
    struct profile_tally *tally = &raw->tally;
    suppression->used += tally->never_closed;
    tally->suppressed = tally->never_closed;
    tally->never_closed = tally->live = tally->held = tally->overdue = 0;
    tally->lost = tally->thread_ended = 0;
    tally->reclaimed = tally->shutdown = tally->collected = tally->request = 0;
    tally->refused = tally->zombie = 0;
    raw->longest_live_ns = raw->in_transaction = raw->exceptions = 0;
    raw->threads.count = raw->tests.count = raw->tasks.count = 0;
    raw->databases.count = raw->details.count = 0;
    raw->suppressed = true;
}

static void suppress_all(struct profile_builder *builder, const raw_sites *list)
{
    for (size_t i = 0; i < list->count; i++) {
        struct raw_site *raw = list->item[i];
        raw->counted = raw->tally;
        if (raw->tally.never_closed == 0 || !builder->suppressions)
            continue;
        struct suppression *one = suppressions_match(
            builder->suppressions, (enum trace_kind)raw->record->kind, raw->acquire, raw->created);
        if (one)
            suppress(raw, one);
    }
}

static void merge_sites(struct profile_builder *builder, const raw_sites *list)
{
    struct arena *arena = builder->profile->arena;
    struct naming *namings = arena_take(arena, list->count * sizeof *namings);
    for (size_t i = 0; i < list->count; i++) {
        namings[i] = (struct naming){
            .frames = naming_stack(list->item[i]),
            .directory = list->item[i]->source->process->header->directory,
            .kind = list->item[i]->record->kind,
            .opened = list->item[i]->tally.opened,
            .never_closed = list->item[i]->tally.never_closed,
        };
        add_ways(arena, list->item[i], &namings[i]);
    }
    naming_resolve(arena, builder->profile->code, namings, list->count);
    struct map all = {0};
    for (size_t i = 0; i < list->count; i++) {
        struct raw_site *raw = list->item[i];
        const struct naming *naming = &namings[i];
        const struct frame *name =
            naming->index < naming->frames->count ? &naming->frames->frame[naming->index] : NULL;
        raw->site = find_merged(builder, &all, raw, name);
        raw->naming = *naming;
        choose_stack(builder, raw->site, raw, naming);
        merge_numbers(raw->site, raw);
        merge_caller(arena, raw->site, raw);
        merge_texts(builder, raw->site, raw);
        raw->source->process->opened += raw->tally.opened;
        raw->source->process->never_closed += raw->tally.never_closed;
        *LIST_ADD(arena, &raw->site->refs) =
            (struct profile_site_ref){raw->source->process, raw->ref};
        profile_growth_extend(&raw->site->growth, raw->source, raw->record);
    }
    for (size_t i = 0; i < list->count; i++)
        profile_growth_add(&list->item[i]->site->growth, list->item[i]->source,
                           list->item[i]->record);
    for (size_t i = 0; i < builder->profile->sites.count; i++)
        LIST_SORT(&builder->profile->sites.item[i]->callers, compare_callers);
    map_clear(&all);
}

void profile_forget_sites(struct source *source)
{
    map_clear(&source->sites);
}

static int compare_ages(const void *a, const void *b)
{
    const struct profile_session *x = *(struct profile_session *const *)a;
    const struct profile_session *y = *(struct profile_session *const *)b;
    if (x->age_ns != y->age_ns)
        return x->age_ns > y->age_ns ? -1 : 1;
    return (x->handle > y->handle) - (x->handle < y->handle);
}

void profile_build_sites(struct profile_builder *builder)
{
    struct profile *profile = builder->profile;
    raw_sites list = {0};
    pending_sessions sessions = {0};
    for (size_t i = 0; i < builder->sources.count; i++) {
        add_raw_sites(builder, builder->sources.item[i], &list);
        add_sessions(builder, builder->sources.item[i], &sessions);
    }
    suppress_all(builder, &list);
    merge_sites(builder, &list);
    for (size_t i = 0; i < sessions.count; i++) {
        struct profile_session *session = sessions.item[i].session;
        const struct raw_site *raw = sessions.item[i].raw;
        if (raw) {
            session->site = raw->site;
            session->never_closed &= !raw->suppressed;
            session->named = raw->naming.frames;
            session->named_index = raw->naming.index;
        }
        *LIST_ADD(profile->arena, &profile->sessions) = session;
    }
    LIST_SORT(&profile->sessions, compare_ages);
}
