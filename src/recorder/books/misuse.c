// Calls that make no sense: a release of what is not out, a child's use of its parent's session.
// One record per kind and stack.
#include "recorder/books/misuse.h"

#include "recorder/books/sessions.h"
#include "recorder/core/labels.h"
#include "recorder/core/lock_order.h"
#include "recorder/core/recorder.h"
#include "recorder/core/table.h"

enum { MOST_MISUSES = 1024 };

struct lock misuse_lock = LOCK_OF(LOCK_MISUSE);

struct misuse_key {
    uint32_t kind, stack;
};
struct misuse_entry {
    struct misuse_key key;
    struct trace_misuse *record;
    UT_hash_handle hh;
};
static struct misuse_entry *misuses;

void misuse_reset(bool give_back)
{
    TABLE_RESET(struct misuse_entry, misuses, give_back);
}

static struct misuse_entry *misuse_add(const struct misuse_key *key, uint32_t function,
                                       uint64_t now_ns)
{
    struct misuse_entry *entry =
        HASH_COUNT(misuses) < MOST_MISUSES ? arena_alloc(sizeof *entry) : NULL;
    if (!entry)
        return NULL;
    if (trace_new_record(&recorder_trace, TRACE_MISUSES, &entry->record) == TRACE_NONE) {
        arena_free(entry, sizeof *entry);
        return NULL;
    }
    entry->key = *key;
    entry->record->kind = key->kind;
    entry->record->stack = key->stack;
    entry->record->function = function;
    entry->record->first_ns = now_ns;
    HASH_ADD(hh, misuses, key, sizeof entry->key, entry);
    return entry;
}

void session_misuse(enum trace_misuse_kind kind, uint32_t space, uint64_t handle, uint32_t function,
                    const struct stack *stack, uint64_t now_ns)
{
    struct misuse_key key = {kind, stack_intern(stack, now_ns)};
    struct misuse_entry *entry;
    if (key.stack == TRACE_NONE)
        return;
    uint32_t site = TRACE_NONE, database = TRACE_NONE;
    (void)session_recently_ended(space, handle, &site, &database);
    lock_take(&misuse_lock);
    HASH_FIND(hh, misuses, &key, sizeof key, entry);
    if (!entry)
        entry = misuse_add(&key, function, now_ns);
    if (entry) {
        entry->record->count++;
        entry->record->last_ns = now_ns;
        entry->record->handle = handle;
        entry->record->site = site;
        entry->record->database = database;
        entry->record->thread = recorder_thread_name();
    }
    lock_give(&misuse_lock);
    if (!entry)
        recorder_lost(TRACE_LOST_SITES);
}
