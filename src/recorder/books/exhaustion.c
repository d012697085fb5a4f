// Pool exhaustion: see exhaustion.h. Knows the session table and the trace.
#include "recorder/books/exhaustion.h"

#include "recorder/books/pools.h"
#include "recorder/core/arena.h"
#include "recorder/core/labels.h"
#include "recorder/core/recorder.h"

enum {
    MOST_HOLDERS = 256,
    HEAD_WORDS = sizeof(struct trace_exhaustion) / sizeof(uint64_t),
    HOLDER_WORDS = sizeof(struct trace_holder) / sizeof(uint64_t),
};

struct list {
    uint32_t pool, count;
    uint64_t own; // the handle that was got in the end
    struct trace_exhaustion *exhaustion;
};

static void add_holder(struct trace_session *record, uint32_t slot, void *data)
{
    struct list *list = data;
    (void)slot;
    // A handle that belongs to the pool is not out of it.
    if (record->owner != list->pool || record->flags & TRACE_SESSION_POOLED ||
        record->handle == list->own || list->count == MOST_HOLDERS)
        return;
    list->exhaustion->holders[list->count++] = (struct trace_holder){
        .site = record->site,
        .thread = record->thread,
        .acquired_ns = record->acquired_ns,
    };
}

void exhaustion_note(const struct acquire *acquire, uint64_t waited_ns, bool failed,
                     uint64_t now_ns)
{
    if (!pool_wants_exhaustion(acquire->pool, failed, waited_ns, now_ns))
        return;
    const size_t bytes = (HEAD_WORDS + MOST_HOLDERS * HOLDER_WORDS) * sizeof(uint64_t);
    struct trace_exhaustion *exhaustion = arena_alloc(bytes);
    if (!exhaustion) {
        recorder_lost(TRACE_LOST_MEMORY);
        return;
    }
    exhaustion->at_ns = now_ns;
    exhaustion->waited_ns = waited_ns;
    exhaustion->pool = acquire->pool;
    exhaustion->stack = stack_intern(acquire->stack, now_ns);
    exhaustion->thread = recorder_thread_name();
    exhaustion->failed = failed;
    exhaustion->waiting = __atomic_load_n(&pool_record(acquire->pool)->waiting, __ATOMIC_RELAXED);
    struct list list = {
        .pool = acquire->pool, .own = failed ? 0 : acquire->handle, .exhaustion = exhaustion};
    session_each(add_holder, &list);
    exhaustion->holder_count = list.count;
    (void)trace_append_words(&recorder_trace, TRACE_EXHAUSTIONS, (const uint64_t *)exhaustion,
                             HEAD_WORDS + list.count * HOLDER_WORDS);
    arena_free(exhaustion, bytes);
}
