// The table of sessions that are out: see session_table.h. Knows nothing of sites and pools.
#include "recorder/books/session_table.h"

#include "recorder/books/sessions.h"
#include "recorder/core/lock_order.h"
#include "recorder/core/recorder.h"

struct shard session_shards[SHARDS] = {[0 ... SHARDS - 1] = {.lock = LOCK_OF(LOCK_SHARD)}};

struct shard *shard_of(const struct session_key *key, unsigned *hash)
{
    HASH_FUNCTION(key, sizeof *key, *hash);
    return &session_shards[(*hash >> 24) % SHARDS]; // the low bits choose the bucket
}

struct entry *entry_lock(uint32_t kind, uint64_t handle, struct shard **shard)
{
    struct session_key key = session_key_of(kind, handle);
    unsigned hash;
    struct entry *entry;
    *shard = shard_of(&key, &hash);
    lock_take(&(*shard)->lock);
    HASH_FIND_BYHASHVALUE(hh, (*shard)->sessions, &key, sizeof key, hash, entry);
    return entry;
}

uint32_t sessions_count(void)
{
    uint32_t count = 0;
    for (int i = 0; i < SHARDS; i++)
        count += session_shards[i].sessions ? HASH_COUNT(session_shards[i].sessions) - 1 : 0;
    return count;
}

bool entry_slot(struct entry *entry)
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

struct entry *entry_take(struct shard *shard)
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

void entry_give_back(struct entry *entry)
{
    unsigned hash;
    struct shard *shard = shard_of(&entry->key, &hash);
    lock_take(&shard->lock);
    entry->hh.next = shard->spare;
    shard->spare = entry;
    lock_give(&shard->lock);
}

void shard_prepare(struct shard *shard)
{
    if (!shard->sessions)
        HASH_ADD_KEYPTR(hh, shard->sessions, &shard->keeper.key, sizeof shard->keeper.key,
                        &shard->keeper);
}

void entry_insert(struct entry *entry)
{
    unsigned hash;
    struct shard *shard = shard_of(&entry->key, &hash);
    lock_take(&shard->lock);
    shard_prepare(shard);
    HASH_ADD_KEYPTR_BYHASHVALUE(hh, shard->sessions, &entry->key, sizeof entry->key, hash, entry);
    lock_give(&shard->lock);
}

bool entry_change(uint32_t kind, uint64_t handle,
                  void (*change)(struct entry *entry, const void *data), const void *data)
{
    struct shard *shard;
    struct entry *entry = entry_lock(kind, handle, &shard);
    if (entry)
        change(entry, data);
    lock_give(&shard->lock);
    return entry != NULL;
}

uint32_t session_slot(uint32_t kind, uint64_t handle)
{
    struct shard *shard;
    struct entry *entry = entry_lock(kind, handle, &shard);
    const uint32_t slot =
        entry && entry->generation == recorder_generation ? entry->slot : TRACE_NONE;
    lock_give(&shard->lock);
    return slot;
}

void session_each(void (*visit)(struct trace_session *record, uint32_t slot, void *data),
                  void *data)
{
    for (int i = 0; i < SHARDS; i++) {
        lock_take(&session_shards[i].lock);
        for (struct entry *entry = session_shards[i].sessions; entry; entry = entry->hh.next)
            if (entry->key.handle != 0 && entry->generation == recorder_generation)
                visit(entry->record, entry->slot, data);
        lock_give(&session_shards[i].lock);
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
        lock_take(&session_shards[i].lock);
        for (struct entry *entry = session_shards[i].sessions;
             entry && count < AT_ONCE && count < most; entry = entry->hh.next) {
            if (entry->key.kind != kind || entry->generation != recorder_generation)
                continue;
            some[count].record = entry->record;
            some[count++].word = entry->word;
        }
        lock_give(&session_shards[i].lock);
        for (uint32_t j = 0; j < count; j++)
            visit(some[j].record, some[j].word, data);
        most -= count;
    }
}

void sessions_clear(void)
{
    struct entry *entry, *next;
    for (int i = 0; i < SHARDS; i++) {
        lock_take(&session_shards[i].lock);
        HASH_ITER (hh, session_shards[i].sessions, entry, next) {
            if (entry->key.handle == 0)
                continue;
            HASH_DEL(session_shards[i].sessions, entry);
            entry->hh.next = session_shards[i].spare;
            session_shards[i].spare = entry;
        }
        lock_give(&session_shards[i].lock);
    }
    recent_forget();
}

void sessions_lock_all(void)
{
    for (int i = 0; i < SHARDS; i++)
        lock_take(&session_shards[i].lock);
}

void sessions_unlock_all(void)
{
    for (int i = 0; i < SHARDS; i++)
        lock_give(&session_shards[i].lock);
}
