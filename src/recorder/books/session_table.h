// The table of sessions that are out, by kind and handle: for sessions.c and sessions_inherit.c
// only.
//
// Sharded by handle, one lock per shard. An entry lives in the process; its record, which a reader
// sees, is a slot of the trace. Both are reused together, so that memory grows with what is out at
// once and not with the number of calls. The entry repeats what a forked child needs, because the
// parent goes on using the slot.
#ifndef UNCLOSED_RECORDER_BOOKS_SESSION_TABLE_H
#define UNCLOSED_RECORDER_BOOKS_SESSION_TABLE_H

#include "recorder/books/session.h"
#include "recorder/core/table.h"
#include "trace/lock.h"

enum { SHARDS = 16 };

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
extern struct shard {
    struct lock lock;
    struct entry *sessions;
    struct entry *spare; // linked by hh.next; each keeps its slot
    struct entry keeper; // of handle 0: uthash frees a table that becomes empty, and makes it anew
} __attribute__((aligned(64))) session_shards[SHARDS];

static inline struct session_key session_key_of(uint32_t kind, uint64_t handle)
{
    return (struct session_key){.handle = handle, .kind = kind};
}

// The shard of a key, and the key's hash.
struct shard *shard_of(const struct session_key *key, unsigned *hash);

// Takes the lock of the shard that a handle belongs to, which the caller gives back, and finds its
// entry there. NULL: there is none.
struct entry *entry_lock(uint32_t kind, uint64_t handle, struct shard **shard);

// Gives `entry` a slot in the trace if it has none in this process's one. false: no room.
bool entry_slot(struct entry *entry);

// A spare or new entry with a slot; the shard is locked. NULL: no room (counted).
struct entry *entry_take(struct shard *shard);

// The entry is not needed any more; it is in no table.
void entry_give_back(struct entry *entry);

// A shard that has had no session yet gets its table. The shard is locked.
void shard_prepare(struct shard *shard);

// Puts an entry into the table under its key.
void entry_insert(struct entry *entry);

// Runs `change` on the entry of a handle with its shard locked; false: there is none.
bool entry_change(uint32_t kind, uint64_t handle,
                  void (*change)(struct entry *entry, const void *data), const void *data);

// In sessions.c: puts a new session into the table. *old: the entry of the same handle that was
// there, taken out. *same_one: it is the same acquire seen twice, or may be acquired again: left
// in, nothing added, NULL returned.
struct entry *session_add(const struct acquire *acquire, uint32_t site, uint64_t now_ns,
                          struct entry **old, bool *same_one);

#endif
