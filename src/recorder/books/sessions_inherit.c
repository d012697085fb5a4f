// Sessions that were out before this process, or before the recorder was in it: inherited over a
// fork, or found in use after an attach.
#include <string.h>

#include "recorder/books/pools.h"
#include "recorder/books/session_table.h"
#include "recorder/books/sessions.h"
#include "recorder/books/sites.h"
#include "recorder/core/recorder.h"

static void leave_alone(struct entry *entry, const void *data)
{
    (void)entry;
    (void)data;
}

bool session_is_known(uint32_t kind, uint64_t handle)
{
    return entry_change(kind, handle, leave_alone, NULL);
}

static const struct stack unknown; // no backtrace was taken: we were not there

static void fill_inherited(struct entry *entry, const struct inherited *found)
{
    struct trace_session *record = entry->record;
    if (!found->held_by_caller) {
        record->tid = found->tid;
        record->thread = found->thread;
    }
    record->test = TRACE_NONE;
    record->older_s = found->older_s;
    record->detail = found->holder;
    __atomic_or_fetch(&record->flags, TRACE_SESSION_INHERITED | found->flags, __ATOMIC_RELAXED);
}

bool session_inherit(const struct inherited *found)
{
    const struct acquire acquire = {
        .handle = found->handle,
        .kind = found->kind,
        .session = found->session,
        .pool = found->pool,
        .owner = found->owner,
        .database = found->database,
        .task = found->task,
        .inherited = true,
        .stack = found->stack ? found->stack : &unknown,
    };
    if (session_is_known(found->kind, found->handle) || !recorder_trace.header)
        return false;
    uint64_t now = recorder_now();
    uint64_t since = found->since_ns ? found->since_ns : recorder_trace.header->start_ns;
    struct site site = site_intern(&acquire, now);
    struct entry *old = NULL;
    bool known;
    struct entry *entry = site.record ? session_add(&acquire, site.ref, since, &old, &known) : NULL;
    if (!entry)
        return false;
    fill_inherited(entry, found);
    if (found->database != TRACE_NONE)
        site.record->database = found->database;
    pool_count_found(found->pool, site, now);
    return true;
}

struct after_question {
    uint64_t after_ns;
    bool *answer;
};

static void ask_after(struct entry *entry, const void *data)
{
    const struct after_question *question = data;
    *question->answer = (entry->record->flags & TRACE_SESSION_INHERITED) &&
                        entry->acquired_ns >= question->after_ns;
}

bool session_disinherit(uint32_t kind, uint64_t handle, uint64_t after_ns)
{
    bool found = false;
    struct session session;
    const struct after_question question = {after_ns, &found};
    if (!entry_change(kind, handle, ask_after, &question) || !found ||
        !session_take(kind, handle, &session))
        return false;
    session_forget(&session);
    return true;
}

void session_inherited_ended(uint32_t kind, enum trace_kind session, uint32_t pool,
                             enum trace_end end)
{
    const struct acquire acquire = {
        .kind = kind,
        .session = (uint8_t)session,
        .pool = pool,
        .inherited = true,
        .stack = &unknown,
    };
    struct site site = site_intern(&acquire, recorder_now());
    if (site.record)
        __atomic_add_fetch(&site.record->ended[end], 1, __ATOMIC_RELAXED);
}

bool sessions_any(void)
{
    return recorder_trace.header || sessions_count() > 0;
}

void sessions_forked(bool clean)
{
    recent_forget();
    for (int i = 0; i < SHARDS; i++) {
        lock_init(&session_shards[i].lock);
        if (clean)
            continue;
        session_shards[i].sessions = NULL;
        session_shards[i].spare = NULL;
    }
}

static uint32_t import_name(const struct trace_writer *parent, uint32_t name)
{
    return name == TRACE_NONE ? TRACE_NONE : name_intern(trace_string(parent, name));
}

static uint32_t import_pool(const struct trace_writer *parent, uint32_t ref)
{
    const struct trace_pool *pool = trace_record(parent, TRACE_POOLS, ref);
    if (!pool)
        return TRACE_NONE;
    uint32_t own = pool_intern(import_name(parent, pool->kind), pool->address,
                               import_name(parent, pool->name));
    pool_describe(own, TRACE_NONE, import_name(parent, pool->detail), pool->size, pool->overflow);
    return own;
}

// The site in this process's trace that corresponds to one in the parent's.
static uint32_t import_site(const struct trace_writer *parent, uint32_t ref)
{
    const struct trace_site *site = trace_record(parent, TRACE_SITES, ref);
    const uint64_t *frames;
    uint64_t seen_ns = 0;
    uint32_t count = site ? trace_stack_frames(parent, site->stack, &frames, &seen_ns) : 0;
    if (count == 0 || count > STACK_FRAMES)
        return TRACE_NONE;
    struct stack stack = {.count = count};
    memcpy(stack.frames, frames, count * sizeof stack.frames[0]);
    for (uint32_t i = 0; i < stack.count; i++) {
        if (!(stack.frames[i] & TRACE_FRAME_LOCATION))
            continue;
        const struct trace_location *line =
            trace_record(parent, TRACE_LOCATIONS, (uint32_t)stack.frames[i]);
        if (line)
            stack.frames[i] =
                TRACE_FRAME_LOCATION | location_intern(import_name(parent, line->file),
                                                       import_name(parent, line->function),
                                                       line->line, line->language);
    }
    const struct acquire acquire = {
        .session = site->kind,
        .function = site->function,
        .pool = import_pool(parent, site->pool),
        .stack = &stack,
    };
    return site_import(&acquire, seen_ns).ref;
}

static void import_entry(const struct trace_writer *parent, struct entry *entry)
{
    uint32_t kind = import_name(parent, entry->key.kind);
    uint32_t site = import_site(parent, entry->site);
    if (!entry_slot(entry))
        return;
    entry->key = session_key_of(kind, entry->key.handle);
    entry->site = site;
    entry->database = import_name(parent, entry->database);
    struct trace_session *record = entry->record;
    record->handle = entry->key.handle;
    record->flags = TRACE_SESSION_INHERITED;
    record->acquired_ns = entry->acquired_ns;
    record->site = site;
    record->database = entry->database;
    record->generation++;
    __atomic_store_n(&record->state, TRACE_SLOT_LIVE, __ATOMIC_RELEASE);
    entry_insert(entry);
}

void sessions_import(const struct trace_writer *parent)
{
    struct entry *inherited = NULL, *entry, *next;
    for (int i = 0; i < SHARDS; i++) {
        lock_take(&session_shards[i].lock);
        HASH_ITER (hh, session_shards[i].sessions, entry, next) {
            if (entry->key.handle == 0 || entry->generation == recorder_generation)
                continue;
            HASH_DEL(session_shards[i].sessions, entry);
            entry->hh.next = inherited;
            inherited = entry;
        }
        lock_give(&session_shards[i].lock);
    }
    for (entry = inherited; entry; entry = next) {
        next = entry->hh.next;
        import_entry(parent, entry);
    }
}
