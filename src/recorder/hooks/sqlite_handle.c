// See sqlite_handle.h.
//
// The state of a handle is one word: the number of its children, whether it was closed, and an
// epoch that changes when the memory is used for another connection. Whoever changes the word to
// the next epoch is the one that ends what was there: a close, the end of the last child, or an
// open that got the same address, which proves that the old one is gone.
#include "recorder/hooks/sqlite_handle.h"

#include <stddef.h>

#include "recorder/core/arena.h"
#include "recorder/core/lock_order.h"
#include "recorder/core/recorder.h"

#define COUNT UINT64_C(0xffffffff)
#define CLOSED (UINT64_C(1) << 32) // by sqlite3_close_v2
#define ASIDE (UINT64_C(1) << 33)  // and its session is back in the table
#define EPOCH (UINT64_C(1) << 34)
#define EPOCHS (~(EPOCH - 1))

struct lock sqlite_handles_lock = LOCK_OF(LOCK_SQLITE_HANDLES); // of whoever takes a spare one
static struct sqlite_handle *_Atomic spare;

struct pointer_map sqlite_handles = {.growth = LOCK_OF(LOCK_SQLITE_HANDLE_MAP)};
struct pointer_map sqlite_children = {.growth = LOCK_OF(LOCK_SQLITE_CHILD_MAP)};

static uint64_t state_of(const struct sqlite_handle *handle)
{
    return atomic_load_explicit(&handle->state, memory_order_acquire);
}

uint64_t sqlite_handle_epoch(const struct sqlite_handle *handle)
{
    return state_of(handle) & EPOCHS;
}

uint32_t sqlite_handle_children(const struct sqlite_handle *handle)
{
    return (uint32_t)(state_of(handle) & COUNT);
}

struct sqlite_handle *sqlite_handle_find(uint64_t db)
{
    enum { NO_ADDRESS = 1 };
    struct sqlite_handle *handle = db > NO_ADDRESS ? pointer_map_find(&sqlite_handles, db) : NULL;
    return handle && atomic_load_explicit(&handle->db, memory_order_relaxed) == db &&
                   handle->recording ==
                       atomic_load_explicit(&recorder_recording, memory_order_relaxed)
               ? handle
               : NULL;
}

// Changes the state, unless it is another one than `state` by now.
static bool change(struct sqlite_handle *handle, uint64_t *state, uint64_t to)
{
    return atomic_compare_exchange_weak_explicit(&handle->state, state, to, memory_order_acq_rel,
                                                 memory_order_acquire);
}

static uint64_t next_epoch(uint64_t state)
{
    return (state & EPOCHS) + EPOCH;
}

// After the change to the next epoch.
static void give_back(struct sqlite_handle *handle)
{
    (void)pointer_map_take(&sqlite_handles, atomic_load(&handle->db), handle);
    atomic_store(&handle->db, 0);
    // Without the lock: a signal handler may have interrupted the thread that has it.
    handle->next = atomic_load(&spare);
    while (!atomic_compare_exchange_weak(&spare, &handle->next, handle))
        continue;
}

void sqlite_handle_forget(struct sqlite_handle *handle, uint64_t epoch)
{
    uint64_t state = state_of(handle);
    while ((state & EPOCHS) == epoch) {
        if (change(handle, &state, next_epoch(state))) {
            give_back(handle);
            return;
        }
    }
}

static struct sqlite_handle *take_spare(void)
{
    lock_take(&sqlite_handles_lock);
    struct sqlite_handle *handle = atomic_load(&spare); // others only add to them now
    while (handle && !atomic_compare_exchange_weak(&spare, &handle, handle->next))
        continue;
    lock_give(&sqlite_handles_lock);
    return handle ? handle : arena_alloc(sizeof *handle);
}

struct sqlite_handle *sqlite_handle_open(uint64_t db, const struct sqlite_api *api,
                                         enum sqlite_children known)
{
    struct sqlite_handle *old = pointer_map_find(&sqlite_handles, db);
    if (old)
        sqlite_handle_forget(old, sqlite_handle_epoch(old));
    (void)pointer_map_take(&sqlite_handles, db, NULL); // if somebody else is just giving it back
    struct sqlite_handle *handle = take_spare();
    if (!handle)
        return NULL;
    handle->recording = atomic_load_explicit(&recorder_recording, memory_order_relaxed);
    handle->api = api;
    atomic_store_explicit(&handle->generation, 0, memory_order_relaxed);
    atomic_store_explicit(&handle->transaction, SQLITE_TRANSACTION_UNKNOWN, memory_order_relaxed);
    atomic_store_explicit(&handle->children, known, memory_order_relaxed);
    atomic_store_explicit(&handle->backups, 0, memory_order_relaxed);
    sqlite_handle_hide_all(handle);
    atomic_store(&handle->db, db);
    if (pointer_map_put(&sqlite_handles, db, handle))
        return handle;
    sqlite_handle_forget(handle, sqlite_handle_epoch(handle));
    return NULL;
}

bool sqlite_handle_set_children(struct sqlite_handle *handle, uint32_t before, uint32_t count)
{
    uint64_t state = state_of(handle);
    while ((state & COUNT) == before) {
        if (change(handle, &state, (state & ~COUNT) | count)) {
            atomic_store(&handle->children, SQLITE_CHILDREN_ASKED);
            return true;
        }
    }
    return false;
}

void sqlite_handle_begin_child(struct sqlite_handle *handle)
{
    (void)atomic_fetch_add_explicit(&handle->state, 1, memory_order_acq_rel);
}

bool sqlite_handle_end_child(struct sqlite_handle *handle)
{
    uint64_t state = state_of(handle);
    while ((state & COUNT) > 0) {
        const bool last = (state & (COUNT | CLOSED | ASIDE)) == (1 | CLOSED | ASIDE);
        if (!change(handle, &state, last ? next_epoch(state) : state - 1))
            continue;
        if (last)
            give_back(handle);
        return last;
    }
    return false;
}

// Adds `flag`, or if there are no children, ends it. Result: whether there are children.
static bool mark(struct sqlite_handle *handle, uint64_t epoch, uint64_t flag)
{
    uint64_t state = state_of(handle);
    while ((state & EPOCHS) == epoch) {
        const bool alive = state & COUNT;
        if (!change(handle, &state, alive ? state | flag : next_epoch(state)))
            continue;
        if (!alive)
            give_back(handle);
        return alive;
    }
    return false; // its address was handed out again
}

bool sqlite_handle_closed(struct sqlite_handle *handle, uint64_t epoch)
{
    return mark(handle, epoch, CLOSED);
}

bool sqlite_handle_put_aside(struct sqlite_handle *handle, uint64_t epoch)
{
    return mark(handle, epoch, ASIDE);
}

// A word for each: the lower half of the statement's address, which ends in zeroes, and the text.
static uint64_t shown_word(uint64_t statement, uint32_t text)
{
    return (statement >> 4) << 32 | text;
}

void sqlite_handle_show(struct sqlite_handle *handle, uint64_t statement, uint32_t text)
{
    for (int i = 0; i < SQLITE_SHOWN; i++)
        if (atomic_load_explicit(&handle->shown[i], memory_order_relaxed) == 0) {
            atomic_store_explicit(&handle->shown[i], shown_word(statement, text),
                                  memory_order_relaxed);
            return;
        }
}

void sqlite_handle_hide(struct sqlite_handle *handle, uint64_t statement)
{
    for (int i = 0; i < SQLITE_SHOWN; i++) {
        const uint64_t word = atomic_load_explicit(&handle->shown[i], memory_order_relaxed);
        if (word >> 32 == shown_word(statement, 0) >> 32 && word != 0)
            atomic_store_explicit(&handle->shown[i], 0, memory_order_relaxed);
    }
}

void sqlite_handle_hide_all(struct sqlite_handle *handle)
{
    for (int i = 0; i < SQLITE_SHOWN; i++)
        atomic_store_explicit(&handle->shown[i], 0, memory_order_relaxed);
}

int sqlite_handle_shown(const struct sqlite_handle *handle, uint32_t texts[SQLITE_SHOWN])
{
    int count = 0;
    for (int i = 0; i < SQLITE_SHOWN; i++) {
        const uint64_t word = atomic_load_explicit(&handle->shown[i], memory_order_relaxed);
        if ((uint32_t)word != 0)
            texts[count++] = (uint32_t)word;
    }
    return count;
}

bool sqlite_child_add(uint64_t child, struct sqlite_handle *handle)
{
    return !pointer_map_find(&sqlite_children, child) &&
           pointer_map_put(&sqlite_children, child, handle);
}

struct sqlite_handle *sqlite_child_take(uint64_t child)
{
    return pointer_map_take(&sqlite_children, child, NULL);
}

void sqlite_handles_forget_all(void)
{
    pointer_map_clear(&sqlite_children);
}
