// Sessions: what an acquire and a release do to the table, the site, the pool and the trace. See
// session.h; the table itself is in session_table.c.
#include "recorder/books/sessions.h"

#include <string.h>

#include "recorder/books/exhaustion.h"
#include "recorder/books/overdue.h"
#include "recorder/books/pools.h"
#include "recorder/books/recent.h"
#include "recorder/books/session_table.h"
#include "recorder/books/sites.h"
#include "recorder/books/ways.h"
#include "recorder/core/labels.h"
#include "recorder/core/recorder.h"
#include "trace/trace_ends.h"

static void fill_record(struct trace_session *record, const struct acquire *acquire, uint32_t site,
                        uint64_t now_ns)
{
    record->handle = acquire->handle;
    record->flags = acquire->owner != TRACE_NONE ? TRACE_SESSION_POOLED : 0;
    record->acquired_ns = now_ns;
    record->site = site;
    record->owner = acquire->owner != TRACE_NONE ? acquire->owner : acquire->pool;
    record->tid = recorder_tid();
    record->thread = recorder_thread_name();
    record->database = acquire->database;
    record->detail = TRACE_NONE;
    record->test = recorder_test();
    record->task = acquire->task;
    record->older_s = 0;
    record->generation++;
    __atomic_store_n(&record->state, TRACE_SLOT_LIVE, __ATOMIC_RELEASE);
}

// The acquire that made `entry` was called by this one: what it belongs to is told from outside.
static void see_through(struct entry *entry, const struct acquire *acquire)
{
    if (acquire->owner == TRACE_NONE)
        entry->record->flags &= ~(uint32_t)TRACE_SESSION_POOLED;
    entry->record->owner = acquire->owner != TRACE_NONE ? acquire->owner : acquire->pool;
    if (entry->record->database == TRACE_NONE)
        entry->record->database = acquire->database;
}

struct entry *session_add(const struct acquire *acquire, uint32_t site, uint64_t now_ns,
                          struct entry **old, bool *same_one)
{
    struct session_key key = session_key_of(acquire->kind, acquire->handle);
    unsigned hash;
    struct shard *shard = shard_of(&key, &hash);
    struct entry *entry = NULL;
    lock_take(&shard->lock);
    shard_prepare(shard);
    HASH_FIND_BYHASHVALUE(hh, shard->sessions, &key, sizeof key, hash, *old);
    bool nested = *old && acquire->since_ns != 0 && (*old)->seen_ns >= acquire->since_ns;
    bool same = nested || (*old && acquire->counted);
    if (same && !nested)
        (*old)->again++;
    if (nested)
        see_through(*old, acquire);
    if (same)
        (*old)->seen_ns = now_ns;
    if (*old && !same)
        HASH_DEL(shard->sessions, *old);
    if (!same)
        entry = entry_take(shard);
    if (entry) {
        recorder_thread.acquired_slot = acquire->wrapper && !recorder_thread.owner.inside
                                            ? recorder_thread.acquired_slot
                                            : entry->slot;
        entry->key = key;
        entry->acquired_ns = entry->seen_ns = now_ns;
        entry->word = 0;
        entry->again = 0;
        entry->site = site;
        entry->database = acquire->database;
        HASH_ADD_KEYPTR_BYHASHVALUE(hh, shard->sessions, &entry->key, sizeof entry->key, hash,
                                    entry);
        fill_record(entry->record, acquire, site, now_ns);
    }
    lock_give(&shard->lock);
    *same_one = same;
    return entry;
}

// Now and then is enough, and costs other processors nothing in between.
static void note_time(uint64_t now_ns)
{
    enum { MILLISECOND = 1000000 };
    struct trace_header *header = recorder_trace.header;
    if (now_ns - header->last_ns <= MILLISECOND)
        return;
    header->last_ns = now_ns;
    if (memcmp(header->magic, TRACE_MAGIC, sizeof header->magic) != 0) // somebody wrote over it
        recorder_damage();
}

static uint64_t held(const struct entry *entry, uint64_t now_ns)
{
    return now_ns > entry->acquired_ns ? now_ns - entry->acquired_ns : 0;
}

// Sessions that a forked child inherited do not count in its sites and pools.
static bool is_counted(const struct entry *entry, const struct trace_site *site)
{
    return site && (!(entry->record->flags & TRACE_SESSION_INHERITED) ||
                    site->flags & TRACE_SITE_INHERITED);
}

// A handle that belongs to a pool is not out of it.
static uint32_t counting_pool(const struct entry *entry, const struct trace_site *site)
{
    return entry->record->flags & TRACE_SESSION_POOLED ? TRACE_NONE : site->pool;
}

static void count_back(const struct entry *entry, struct trace_site *site, uint64_t now_ns)
{
    if (is_counted(entry, site))
        pool_count_back(counting_pool(entry, site), site, held(entry, now_ns),
                        entry->record->thread, now_ns);
}

// A session that the code never closed, after an exception left the function that acquired it.
static void count_exception(struct trace_session *record, struct trace_site *site,
                            enum trace_end end)
{
    if (trace_end_is_reclaimed(end))
        record->flags |= TRACE_SESSION_RECLAIMED; // an exception may turn out to be why
    if (!(record->flags & TRACE_SESSION_EXCEPTION) || !trace_end_is_reclaimed(end))
        return;
    session_exception_counted(site);
}

void session_exception_counted(struct trace_site *site)
{
    __atomic_add_fetch(&site->exceptions, 1, __ATOMIC_RELAXED);
    __atomic_or_fetch(&site->flags, TRACE_SITE_EXCEPTION, __ATOMIC_RELAXED);
}

// Late is what the code gives back after more than the threshold.
static void note_late(const struct entry *entry, struct trace_site *site, enum trace_end end,
                      uint64_t now_ns)
{
    uint64_t threshold = recorder_options.threshold_ns;
    if (threshold == 0 || held(entry, now_ns) <= threshold ||
        entry->record->flags & (TRACE_SESSION_INHERITED | TRACE_SESSION_POOLED))
        return;
    if (trace_end_is_released(end) || end == TRACE_DISCARDED)
        __atomic_add_fetch(&site->late, 1, __ATOMIC_RELAXED);
    overdue_ended(entry->record, site, entry->site, end, now_ns);
}

// The first sign of interpreter shutdown may be a session that it ends.
static void note_shutdown(enum trace_end end, uint64_t now_ns)
{
    if (end == TRACE_SHUTDOWN && recorder_trace.header->shutdown_ns == 0)
        recorder_trace.header->shutdown_ns = now_ns;
}

static void end_entry(struct entry *entry, struct trace_site *site, enum trace_end end,
                      uint64_t now_ns)
{
    struct trace_session *record = entry->record;
    bool look = false;
    recent_note(entry->key.kind, entry->key.handle, entry->site, entry->database);
    __atomic_store_n(&record->state, TRACE_SLOT_ENDED, __ATOMIC_RELEASE);
    if (is_counted(entry, site)) {
        count_exception(record, site, end);
        note_late(entry, site, end, now_ns);
        note_shutdown(end, now_ns);
        uint64_t before = __atomic_fetch_add(&site->ended[end], 1, __ATOMIC_RELAXED);
        look = (end == TRACE_RELEASED || end == TRACE_RELEASED_SCOPE) && way_wanted(before);
    }
    __atomic_store_n(&record->state, TRACE_SLOT_FREE, __ATOMIC_RELEASE);
    if (look)
        way_note_release(site, now_ns);
    note_time(now_ns);
    entry_give_back(entry);
}

uint32_t session_acquired(const struct acquire *acquire, uint64_t now_ns)
{
    if (!recorder_trace.header)
        return TRACE_NONE;
    struct site site = site_intern(acquire, now_ns);
    if (!site.record)
        return TRACE_NONE;
    struct entry *old = NULL;
    bool same_one;
    struct entry *entry = session_add(acquire, site.ref, now_ns, &old, &same_one);
    recorder_count_acquire();
    if (!acquire->wrapper)
        recorder_thread.acquired_kind = acquire->kind;
    if (same_one)
        return old->slot;
    if (old) {
        struct trace_site *old_site = site_record(old->site);
        count_back(old, old_site, now_ns);
        // One that was closed and kept alive by its children must be gone, to have given this its
        // address.
        const bool zombie = old->record->flags & TRACE_SESSION_ZOMBIE;
        end_entry(old, old_site, zombie ? TRACE_RELEASED : TRACE_LOST_RELEASE, now_ns);
    }
    if (!entry)
        return TRACE_NONE;
    if (acquire->database != TRACE_NONE)
        site.record->database = acquire->database;
    if (acquire->task != TRACE_NONE)
        site.record->task = acquire->task;
    uint64_t took =
        acquire->started_ns && now_ns > acquire->started_ns ? now_ns - acquire->started_ns : 0;
    pool_count_out(counting_pool(entry, site.record), site, took, now_ns);
    if (acquire->owner != TRACE_NONE)
        pool_count_created(acquire->owner, took);
    if (took >= recorder_options.wait_threshold_ns && recorder_options.wait_threshold_ns > 0)
        exhaustion_note(acquire, took, false, now_ns);
    way_acquired(site.record, site.ref, acquire->handle, recorder_generation);
    note_time(now_ns);
    overdue_expect(now_ns);
    overdue_check(now_ns);
    return entry->slot;
}

void session_acquire_failed(const struct acquire *acquire, bool timed_out, uint64_t now_ns)
{
    // A process whose every acquire fails has nothing to report but that: no trace for it alone.
    if (acquire->pool == TRACE_NONE && !recorder_trace.header)
        return;
    struct site site = site_intern(acquire, now_ns);
    if (site.record)
        __atomic_add_fetch(&site.record->failed, 1, __ATOMIC_RELAXED);
    uint64_t took =
        acquire->started_ns && now_ns > acquire->started_ns ? now_ns - acquire->started_ns : 0;
    pool_count_failed(acquire->pool, timed_out, took, now_ns);
    exhaustion_note(acquire, took, true, now_ns);
    overdue_check(now_ns);
}

// What was taken out of the table begins to end.
static void begin_end(struct entry *entry, struct session *session)
{
    __atomic_store_n(&entry->record->state, TRACE_SLOT_RELEASING, __ATOMIC_RELEASE);
    session->slot = entry->slot;
    session->record = entry->record;
    session->entry = entry;
    session->site = site_record(entry->site);
    session->taken_ns = recorder_now();
    if (way_is_fresh(entry->key.handle))
        way_note_use(false, session->taken_ns);
    count_back(entry, session->site, session->taken_ns);
    overdue_check(session->taken_ns);
}

bool session_take(uint32_t kind, uint64_t handle, struct session *session)
{
    struct shard *shard;
    struct entry *entry = entry_lock(kind, handle, &shard);
    session->still_out = entry && entry->again > 0;
    if (session->still_out)
        entry->again--;
    else if (entry)
        HASH_DEL(shard->sessions, entry);
    lock_give(&shard->lock);
    if (!entry || session->still_out)
        return false;
    begin_end(entry, session);
    return true;
}

bool session_take_back(struct session *session, uint32_t use)
{
    struct entry *entry = session->entry;
    const struct session_key key = entry->key;
    struct shard *shard;
    struct entry *found = entry_lock(key.kind, key.handle, &shard);
    const bool same = found == entry && entry->record->generation == use;
    if (same)
        HASH_DEL(shard->sessions, entry);
    lock_give(&shard->lock);
    if (same)
        begin_end(entry, session);
    return same;
}

void session_end(struct session *session, enum trace_end end, uint64_t now_ns)
{
    end_entry(session->entry, session->site, end, now_ns);
}

void session_forget(struct session *session)
{
    __atomic_store_n(&session->record->state, TRACE_SLOT_FREE, __ATOMIC_RELEASE);
    entry_give_back(session->entry);
}

void session_failed(struct session *session)
{
    const struct entry *entry = session->entry;
    struct trace_site *site = session->site;
    if (is_counted(entry, site)) {
        pool_count_unheld(counting_pool(entry, site), site, held(entry, session->taken_ns));
        __atomic_add_fetch(&site->failed, 1, __ATOMIC_RELAXED);
    }
    session_forget(session);
}

void session_put_back(struct session *session, uint32_t add_flags)
{
    struct entry *entry = session->entry;
    struct trace_site *site = session->site;
    if (site && (add_flags & TRACE_SESSION_REFUSED))
        __atomic_add_fetch(&site->refusals, 1, __ATOMIC_RELAXED);
    if (site && (add_flags & TRACE_SESSION_ZOMBIE))
        __atomic_add_fetch(&site->zombies, 1, __ATOMIC_RELAXED);
    if (is_counted(entry, site))
        pool_count_kept(counting_pool(entry, site), site, held(entry, session->taken_ns));
    entry->record->flags |= add_flags;
    entry_insert(entry);
    __atomic_store_n(&entry->record->state, TRACE_SLOT_LIVE, __ATOMIC_RELEASE);
}

void session_lose(struct session *session)
{
    const uint64_t no_address = UINT64_C(1) << 63;
    struct entry *entry = session->entry;
    entry->key.handle = no_address | entry->slot;
    session_put_back(session, TRACE_SESSION_LOST);
}

struct flag_question {
    uint32_t flags;
    bool *answer;
};

static void ask_flags(struct entry *entry, const void *data)
{
    const struct flag_question *question = data;
    *question->answer = entry->record->flags & question->flags;
}

bool session_has_flag(uint32_t kind, uint64_t handle, uint32_t flags)
{
    bool answer = false;
    const struct flag_question question = {flags, &answer};
    (void)entry_change(kind, handle, ask_flags, &question);
    return answer;
}

static void mark_used(struct entry *entry, const void *data)
{
    const struct flag_question *question = data;
    if (!(entry->record->flags & TRACE_SESSION_INHERITED))
        return;
    *question->answer = !(entry->record->flags & TRACE_SESSION_USED);
    entry->record->flags |= TRACE_SESSION_USED;
}

bool session_mark_used(uint32_t kind, uint64_t handle)
{
    bool first = false;
    const struct flag_question question = {.answer = &first};
    (void)entry_change(kind, handle, mark_used, &question);
    return first;
}

static void change_owner(struct entry *entry, const void *data)
{
    uint32_t pool = *(const uint32_t *)data;
    entry->record->owner = pool;
    if (pool != TRACE_NONE)
        entry->record->flags |= TRACE_SESSION_POOLED;
    else
        entry->record->flags &= ~(uint32_t)TRACE_SESSION_POOLED;
}

bool session_set_owner(uint32_t kind, uint64_t handle, uint32_t pool)
{
    return entry_change(kind, handle, change_owner, &pool);
}

static void change_word(struct entry *entry, const void *data)
{
    entry->word = *(const uint64_t *)data;
}

void session_remember(uint32_t kind, uint64_t handle, uint64_t word)
{
    (void)entry_change(kind, handle, change_word, &word);
}

uint64_t session_word(const struct session *session)
{
    return ((const struct entry *)session->entry)->word;
}
