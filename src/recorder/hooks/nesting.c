// Wrapped calls within wrapped calls: see nesting.h.
//
// A list per thread is cheap but may be stale: a longjmp skips hook_after. So the list only raises
// the suspicion, and is never dereferenced: entries whose frame is below the present one are gone,
// and as many of the rest are believed, the oldest first, as the stack has wrappers.
#include "recorder/hooks/nesting.h"

#include "recorder/core/recorder.h"
#include "recorder/stacks/capture.h"
#include "shared/spec.h"

enum { DEEPEST = 6 };

static __thread struct {
    uint32_t depth;
    unsigned recording; // what the list is about
    struct {
        uint64_t frame;
        uint64_t pool_address;
        const struct spec *spec;
    } level[DEEPEST];
} list __attribute__((tls_model("initial-exec")));

static uint64_t frame_of(const struct call *call)
{
    return (uint64_t)(uintptr_t)call;
}

static void drop_below(uint64_t frame)
{
    const unsigned recording = atomic_load_explicit(&recorder_recording, memory_order_relaxed);
    if (list.recording != recording)
        list.depth = 0;
    list.recording = recording;
    while (list.depth > 0 && list.level[list.depth - 1].frame <= frame)
        list.depth--;
}

void nesting_enter(const struct call *call)
{
    drop_below(frame_of(call));
    if (list.depth == DEEPEST)
        return;
    list.level[list.depth].frame = frame_of(call);
    list.level[list.depth].pool_address = call->pool_address;
    list.level[list.depth].spec = call->spec;
    list.depth++;
}

void nesting_leave(const struct call *call)
{
    drop_below(frame_of(call));
}

struct nesting nesting_around(const struct call *call)
{
    drop_below(frame_of(call));
    if (list.depth == 0)
        return (struct nesting){0};
    uint32_t enclosing = stack_count_returns(hook_code.returned, hook_code.patched_returned);
    if (list.depth > enclosing)
        list.depth = enclosing;
    if (list.depth == 0)
        return (struct nesting){0};
    // The pool, not a client library that it calls to open its handles.
    uint32_t level = list.depth - 1;
    while (level > 0 && list.level[level].spec->session == TRACE_HANDLE)
        level--;
    if (list.level[level].spec->session == TRACE_HANDLE)
        level = list.depth - 1;
    return (struct nesting){
        .spec = list.level[level].spec,
        .pool_address = list.level[level].pool_address,
    };
}
