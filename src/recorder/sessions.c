// The table of sessions that are out, by kind and handle: see session.h.
//
// Sharded by handle, one lock per shard. An entry lives in the process; its record, which a reader
// sees, is a slot of the trace. Both are reused together, so that memory grows with what is out at
// once and not with the number of calls. The entry repeats what a forked child needs, because the
// parent goes on using the slot.
#include "recorder/sessions.h"

#include <string.h>

#include "recorder/intern.h"
#include "recorder/pools.h"
#include "recorder/recorder.h"
#include "recorder/shortage.h"
#include "recorder/sites.h"
#include "recorder/table.h"
#include "trace/lock.h"

enum { SHARDS = 16, RECENT = 1024 };

struct __attribute__((packed, aligned(4))) session_key { // compared as bytes
    uint64_t handle;
    uint32_t kind;
};
struct entry { // a handle that is out takes one of these and a slot of the trace
    struct session_key key;
    uint32_t again; // times it was acquired again while out, if it may be
    struct trace_session *record;
    uint64_t acquired_ns;
    uint64_t seen_ns; // the last acquire of this handle
    uint64_t word;    // see session_remember
    uint32_t slot;
    uint32_t site;
    uint32_t database;
    uint32_t generation; // of recorder_generation: whose trace the references are for
    UT_hash_handle hh;
};
static struct shard {
    struct lock lock;
    struct entry *sessions;
    struct entry *spare; // linked by hh.next; each keeps its slot
    struct entry keeper; // of handle 0: uthash frees a table that becomes empty, and makes it anew
} __attribute__((aligned(64))) shards[SHARDS] = {[0 ... SHARDS - 1] = {.lock = LOCK_INITIALIZER}};

// Sessions that ended not long ago, to tell a double release from that of a handle never seen.
static struct recent {
    uint64_t handle;
    uint32_t kind, site, database;
} recent[RECENT];

static struct session_key key_of(uint32_t kind, uint64_t handle)
{
    return (struct session_key){.handle = handle, .kind = kind};
}

static struct shard *shard_of(const struct session_key *key, unsigned *hash)
{
    HASH_FUNCTION(key, sizeof *key, *hash);
    return &shards[(*hash >> 24) % SHARDS]; // the low bits choose the bucket
}

static struct recent *recent_of(const struct session_key *key)
{
    unsigned hash;
    HASH_FUNCTION(key, sizeof *key, hash);
    return &recent[hash % RECENT];
}

uint32_t sessions_count(void)
{
    uint32_t count = 0;
    for (int i = 0; i < SHARDS; i++)
        count += shards[i].sessions ? HASH_COUNT(shards[i].sessions) - 1 : 0;
    return count;
}

// Gives `entry` a slot in the trace if it has none in this process's one. false: no room.
static bool entry_slot(struct entry *entry)
{
    if (entry->slot == TRACE_NONE || entry->generation != recorder_generation)
        entry->slot = trace_new_record(&recorder_trace, TRACE_SESSIONS, &entry->record);
    entry->generation = recorder_generation;
    return entry->slot != TRACE_NONE;
}

static bool add_spare(struct shard *shard)
{
    enum { AT_ONCE = 34 }; // a little less than a page
    struct entry *block = arena_alloc(AT_ONCE * sizeof *block);
    for (int i = 0; block && i < AT_ONCE; i++) {
        block[i].hh.next = shard->spare;
        shard->spare = &block[i];
    }
    return block != NULL;
}

// A spare or new entry with a slot; the shard is locked.
static struct entry *entry_take(struct shard *shard)
{
    if (!shard->spare && !add_spare(shard)) {
        recorder_lost(TRACE_LOST_MEMORY);
        return NULL;
    }
    struct entry *entry = shard->spare;
    shard->spare = entry->hh.next;
    if (!entry_slot(entry)) {
        entry->hh.next = shard->spare;
        shard->spare = entry;
        return NULL;
    }
    return entry;
}

static void entry_give_back(struct entry *entry)
{
    unsigned hash;
    struct shard *shard = shard_of(&entry->key, &hash);
    lock_take(&shard->lock);
    entry->hh.next = shard->spare;
    shard->spare = entry;
    lock_give(&shard->lock);
}

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
    record->parent = TRACE_NONE;
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

// Puts a new session into the table. *old: the entry of the same handle that was there, taken out.
// *same_one: it is the same acquire seen twice, or may be acquired again: left in, nothing added.
static struct entry *table_add(const struct acquire *acquire, uint32_t site, uint64_t now_ns,
                               struct entry **old, bool *same_one)
{
    struct session_key key = key_of(acquire->kind, acquire->handle);
    unsigned hash;
    struct shard *shard = shard_of(&key, &hash);
    struct entry *entry = NULL;
    lock_take(&shard->lock);
    if (!shard->sessions)
        HASH_ADD_KEYPTR(hh, shard->sessions, &shard->keeper.key, sizeof key, &shard->keeper);
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
    if (now_ns > header->last_ns + MILLISECOND)
        header->last_ns = now_ns;
}

static uint64_t held(const struct entry *entry, uint64_t now_ns)
{
    return now_ns > entry->acquired_ns ? now_ns - entry->acquired_ns : 0;
}

static bool is_counted(const struct entry *entry)
{
    return !(entry->record->flags & TRACE_SESSION_INHERITED);
}

// A handle that belongs to a pool is not out of it.
static uint32_t counting_pool(const struct entry *entry, const struct trace_site *site)
{
    return entry->record->flags & TRACE_SESSION_POOLED ? TRACE_NONE : site->pool;
}

static void count_back(const struct entry *entry, struct trace_site *site, uint64_t now_ns)
{
    if (site && is_counted(entry))
        pool_count_back(counting_pool(entry, site), site, held(entry, now_ns),
                        entry->record->thread, now_ns);
}

// A session that the code never closed, after an exception left the function that acquired it.
static void count_exception(const struct trace_session *record, struct trace_site *site,
                            enum trace_end end)
{
    if (!(record->flags & TRACE_SESSION_EXCEPTION) ||
        (end != TRACE_RECLAIMED && end != TRACE_SHUTDOWN))
        return;
    __atomic_add_fetch(&site->exceptions, 1, __ATOMIC_RELAXED);
    __atomic_or_fetch(&site->flags, TRACE_SITE_EXCEPTION, __ATOMIC_RELAXED);
}

static void end_entry(struct entry *entry, struct trace_site *site, enum trace_end end,
                      uint64_t now_ns)
{
    struct trace_session *record = entry->record;
    *recent_of(&entry->key) =
        (struct recent){entry->key.handle, entry->key.kind, entry->site, entry->database};
    __atomic_store_n(&record->state, TRACE_SLOT_ENDED, __ATOMIC_RELEASE);
    if (site && is_counted(entry)) {
        count_exception(record, site, end);
        __atomic_add_fetch(&site->ended[end], 1, __ATOMIC_RELAXED);
    }
    __atomic_store_n(&record->state, TRACE_SLOT_FREE, __ATOMIC_RELEASE);
    note_time(now_ns);
    entry_give_back(entry);
}

uint32_t session_acquired(const struct acquire *acquire, uint64_t now_ns)
{
    if (!recorder_open_trace())
        return TRACE_NONE;
    struct site site = site_intern(acquire, now_ns);
    if (!site.record)
        return TRACE_NONE;
    struct entry *old = NULL;
    bool same_one;
    struct entry *entry = table_add(acquire, site.ref, now_ns, &old, &same_one);
    recorder_thread.acquires++;
    if (!acquire->wrapper)
        recorder_thread.acquired_kind = acquire->kind;
    if (same_one)
        return old->slot;
    if (old) {
        struct trace_site *old_site = site_record(old->site);
        count_back(old, old_site, now_ns);
        end_entry(old, old_site, TRACE_LOST_RELEASE, now_ns);
    }
    if (!entry)
        return TRACE_NONE;
    if (acquire->database != TRACE_NONE)
        site.record->database = acquire->database;
    if (acquire->task != TRACE_NONE)
        site.record->task = acquire->task;
    uint64_t took =
        acquire->started_ns && now_ns > acquire->started_ns ? now_ns - acquire->started_ns : 0;
    pool_count_out(counting_pool(entry, site.record), site.record, took, now_ns);
    if (took >= recorder_options.wait_threshold_ns && recorder_options.wait_threshold_ns > 0)
        shortage_note(acquire, took, false, now_ns);
    note_time(now_ns);
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
    pool_count_failed(acquire->pool, timed_out, took);
    shortage_note(acquire, took, true, now_ns);
}

bool session_take(uint32_t kind, uint64_t handle, struct session *session)
{
    struct session_key key = key_of(kind, handle);
    unsigned hash;
    struct shard *shard = shard_of(&key, &hash);
    struct entry *entry;
    lock_take(&shard->lock);
    HASH_FIND_BYHASHVALUE(hh, shard->sessions, &key, sizeof key, hash, entry);
    session->still_out = entry && entry->again > 0;
    if (session->still_out)
        entry->again--;
    else if (entry)
        HASH_DEL(shard->sessions, entry);
    lock_give(&shard->lock);
    if (!entry || session->still_out)
        return false;
    __atomic_store_n(&entry->record->state, TRACE_SLOT_RELEASING, __ATOMIC_RELEASE);
    session->slot = entry->slot;
    session->record = entry->record;
    session->entry = entry;
    session->site = site_record(entry->site);
    session->taken_ns = recorder_now();
    count_back(entry, session->site, session->taken_ns);
    return true;
}

void session_end(struct session *session, enum trace_end end, uint64_t now_ns)
{
    end_entry(session->entry, session->site, end, now_ns);
}

void session_put_back(struct session *session, uint32_t add_flags)
{
    struct entry *entry = session->entry;
    struct trace_site *site = session->site;
    unsigned hash;
    struct shard *shard = shard_of(&entry->key, &hash);
    if (site && (add_flags & TRACE_SESSION_REFUSED))
        __atomic_add_fetch(&site->refusals, 1, __ATOMIC_RELAXED);
    if (site && (add_flags & TRACE_SESSION_ZOMBIE))
        __atomic_add_fetch(&site->zombies, 1, __ATOMIC_RELAXED);
    if (site && is_counted(entry))
        pool_count_kept(counting_pool(entry, site), site, held(entry, session->taken_ns));
    entry->record->flags |= add_flags;
    lock_take(&shard->lock);
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, shard->sessions, &entry->key, sizeof entry->key, hash, entry);
    lock_give(&shard->lock);
    __atomic_store_n(&entry->record->state, TRACE_SLOT_LIVE, __ATOMIC_RELEASE);
}

// Runs `change` on the entry of a handle with its shard locked; false: there is none.
static bool with_entry(uint32_t kind, uint64_t handle,
                       void (*change)(struct entry *entry, const void *data), const void *data)
{
    struct session_key key = key_of(kind, handle);
    unsigned hash;
    struct shard *shard = shard_of(&key, &hash);
    struct entry *entry;
    lock_take(&shard->lock);
    HASH_FIND_BYHASHVALUE(hh, shard->sessions, &key, sizeof key, hash, entry);
    if (entry)
        change(entry, data);
    lock_give(&shard->lock);
    return entry != NULL;
}

static void leave_alone(struct entry *entry, const void *data)
{
    (void)entry;
    (void)data;
}

void session_inherit(uint32_t kind, enum trace_kind session, uint64_t handle, uint32_t database)
{
    static const struct stack unknown; // no backtrace was taken: we were not there
    const struct acquire acquire = {
        .handle = handle,
        .kind = kind,
        .session = (uint8_t)session,
        .database = database,
        .stack = &unknown,
    };
    if (with_entry(kind, handle, leave_alone, NULL))
        return;
    uint64_t since = recorder_trace.header->start_ns;
    struct site site = site_intern(&acquire, since);
    struct entry *old = NULL;
    bool known;
    struct entry *entry = site.record ? table_add(&acquire, site.ref, since, &old, &known) : NULL;
    if (entry)
        __atomic_or_fetch(&entry->record->flags, TRACE_SESSION_INHERITED, __ATOMIC_RELAXED);
}

static void change_flags(struct entry *entry, const void *data)
{
    const uint32_t *flags = data;
    entry->record->flags = (entry->record->flags | flags[0]) & ~flags[1];
}

bool session_flag(uint32_t kind, uint64_t handle, uint32_t add_flags, uint32_t remove_flags)
{
    const uint32_t flags[2] = {add_flags, remove_flags};
    return with_entry(kind, handle, change_flags, flags);
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
    (void)with_entry(kind, handle, ask_flags, &question);
    return answer;
}

bool session_mark_used(uint32_t kind, uint64_t handle)
{
    bool first = false;
    struct session_key key = key_of(kind, handle);
    unsigned hash;
    struct shard *shard = shard_of(&key, &hash);
    struct entry *entry;
    lock_take(&shard->lock);
    HASH_FIND_BYHASHVALUE(hh, shard->sessions, &key, sizeof key, hash, entry);
    if (entry && (entry->record->flags & TRACE_SESSION_INHERITED)) {
        first = !(entry->record->flags & TRACE_SESSION_USED);
        entry->record->flags |= TRACE_SESSION_USED;
    }
    lock_give(&shard->lock);
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
    return with_entry(kind, handle, change_owner, &pool);
}

static void change_word(struct entry *entry, const void *data)
{
    entry->word = *(const uint64_t *)data;
}

void session_remember(uint32_t kind, uint64_t handle, uint64_t word)
{
    (void)with_entry(kind, handle, change_word, &word);
}

uint64_t session_word(const struct session *session)
{
    return ((const struct entry *)session->entry)->word;
}

void session_each(void (*visit)(struct trace_session *record, uint32_t slot, void *data),
                  void *data)
{
    for (int i = 0; i < SHARDS; i++) {
        lock_take(&shards[i].lock);
        for (struct entry *entry = shards[i].sessions; entry; entry = entry->hh.next)
            if (entry->key.handle != 0 && entry->generation == recorder_generation)
                visit(entry->record, entry->slot, data);
        lock_give(&shards[i].lock);
    }
}

void sessions_visit(uint32_t kind, uint32_t most,
                    void (*visit)(struct trace_session *record, uint64_t word, void *data),
                    void *data)
{
    enum { AT_ONCE = 64 };
    struct {
        struct trace_session *record;
        uint64_t word;
    } some[AT_ONCE];
    for (int i = 0; i < SHARDS && most > 0; i++) {
        uint32_t count = 0;
        lock_take(&shards[i].lock);
        for (struct entry *entry = shards[i].sessions; entry && count < AT_ONCE && count < most;
             entry = entry->hh.next) {
            if (entry->key.kind != kind || entry->generation != recorder_generation)
                continue;
            some[count].record = entry->record;
            some[count++].word = entry->word;
        }
        lock_give(&shards[i].lock);
        for (uint32_t j = 0; j < count; j++)
            visit(some[j].record, some[j].word, data);
        most -= count;
    }
}

bool session_recently_ended(uint32_t kind, uint64_t handle, uint32_t *site, uint32_t *database)
{
    struct session_key key = key_of(kind, handle);
    const struct recent *ended = recent_of(&key);
    if (ended->handle != handle || ended->kind != kind)
        return false;
    *site = ended->site;
    *database = ended->database;
    return true;
}

bool sessions_any(void)
{
    return recorder_trace.header || (sessions_count() > 0 && recorder_open_trace());
}

void sessions_forked(bool clean)
{
    memset(recent, 0, sizeof recent);
    for (int i = 0; i < SHARDS; i++) {
        lock_init(&shards[i].lock);
        if (clean)
            continue;
        shards[i].sessions = NULL;
        shards[i].spare = NULL;
    }
}

void sessions_clear(void)
{
    struct entry *entry, *next;
    for (int i = 0; i < SHARDS; i++) {
        lock_take(&shards[i].lock);
        HASH_ITER (hh, shards[i].sessions, entry, next) {
            if (entry->key.handle == 0)
                continue;
            HASH_DEL(shards[i].sessions, entry);
            entry->hh.next = shards[i].spare;
            shards[i].spare = entry;
        }
        lock_give(&shards[i].lock);
    }
    memset(recent, 0, sizeof recent);
}

void sessions_lock_all(void)
{
    for (int i = 0; i < SHARDS; i++)
        lock_take(&shards[i].lock);
}

void sessions_unlock_all(void)
{
    for (int i = 0; i < SHARDS; i++)
        lock_give(&shards[i].lock);
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
    const void *words = site ? trace_words(parent, TRACE_STACKS, site->stack) : NULL;
    if (!words)
        return TRACE_NONE;
    const struct trace_stack *kept = words;
    struct stack stack = {.count = kept->frame_count};
    memcpy(stack.frames, kept->frames, kept->frame_count * sizeof stack.frames[0]);
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
    return site_intern(&acquire, kept->seen_ns).ref;
}

static void import_entry(const struct trace_writer *parent, struct entry *entry)
{
    uint32_t kind = import_name(parent, entry->key.kind);
    uint32_t site = import_site(parent, entry->site);
    if (!entry_slot(entry))
        return;
    entry->key = key_of(kind, entry->key.handle);
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
    unsigned hash;
    struct shard *shard = shard_of(&entry->key, &hash);
    lock_take(&shard->lock);
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, shard->sessions, &entry->key, sizeof entry->key, hash, entry);
    lock_give(&shard->lock);
}

void sessions_import(const struct trace_writer *parent)
{
    struct entry *inherited = NULL, *entry, *next;
    for (int i = 0; i < SHARDS; i++) {
        lock_take(&shards[i].lock);
        HASH_ITER (hh, shards[i].sessions, entry, next) {
            if (entry->key.handle == 0 || entry->generation == recorder_generation)
                continue;
            HASH_DEL(shards[i].sessions, entry);
            entry->hh.next = inherited;
            inherited = entry;
        }
        lock_give(&shards[i].lock);
    }
    for (entry = inherited; entry; entry = next) {
        next = entry->hh.next;
        import_entry(parent, entry);
    }
}
