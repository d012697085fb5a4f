// Shortages: see shortage.h. Knows the session table and the trace.
#include "recorder/books/shortage.h"

#include "recorder/books/pools.h"
#include "recorder/core/arena.h"
#include "recorder/core/recorder.h"

enum {
    MOST_HOLDERS = 256,
    HEAD_WORDS = sizeof(struct trace_shortage) / sizeof(uint64_t),
    HOLDER_WORDS = sizeof(struct trace_holder) / sizeof(uint64_t),
};

struct list {
    uint32_t pool, count;
    uint64_t own; // the handle that was got in the end
    struct trace_shortage *shortage;
};

static void add_holder(struct trace_session *record, uint32_t slot, void *data)
{
    struct list *list = data;
    (void)slot;
    // A handle that belongs to the pool is not out of it.
    if (record->owner != list->pool || record->flags & TRACE_SESSION_POOLED ||
        record->handle == list->own || list->count == MOST_HOLDERS)
        return;
    list->shortage->holders[list->count++] = (struct trace_holder){
        .site = record->site,
        .thread = record->thread,
        .acquired_ns = record->acquired_ns,
    };
}

void shortage_note(const struct acquire *acquire, uint64_t waited_ns, bool failed, uint64_t now_ns)
{
    if (!pool_wants_shortage(acquire->pool, failed, waited_ns, now_ns))
        return;
    const size_t bytes = (HEAD_WORDS + MOST_HOLDERS * HOLDER_WORDS) * sizeof(uint64_t);
    struct trace_shortage *shortage = arena_alloc(bytes);
    if (!shortage) {
        recorder_lost(TRACE_LOST_MEMORY);
        return;
    }
    shortage->at_ns = now_ns;
    shortage->waited_ns = waited_ns;
    shortage->pool = acquire->pool;
    shortage->stack = stack_intern(acquire->stack, now_ns);
    shortage->thread = recorder_thread_name();
    shortage->failed = failed;
    shortage->waiting = __atomic_load_n(&pool_record(acquire->pool)->waiting, __ATOMIC_RELAXED);
    struct list list = {
        .pool = acquire->pool, .own = failed ? 0 : acquire->handle, .shortage = shortage};
    session_each(add_holder, &list);
    shortage->holder_count = list.count;
    (void)trace_append_words(&recorder_trace, TRACE_SHORTAGES, (const uint64_t *)shortage,
                             HEAD_WORDS + list.count * HOLDER_WORDS);
    arena_free(shortage, bytes);
}
