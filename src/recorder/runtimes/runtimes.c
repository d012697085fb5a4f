// The runtimes that are known, and asking those that are there: see runtime.h. Knows nothing of
// what any of them is like.
#include <stdatomic.h>
#include <stddef.h>

#include "recorder/core/recorder.h"
#include "recorder/runtimes/python/python.h"
#include "recorder/runtimes/runtime.h"

static const struct runtime *const known[] = {&python_runtime};
enum { KNOWN = sizeof known / sizeof *known };

static atomic_uint joined; // a bit for each of `known`

static inline const struct runtime *next_joined(unsigned *bits)
{
    if (*bits == 0)
        return NULL;
    unsigned index = (unsigned)__builtin_ctz(*bits);
    *bits &= *bits - 1;
    return known[index];
}

static void all_frames(struct stack *stack)
{
    unsigned bits = atomic_load_explicit(&joined, memory_order_relaxed);
    for (const struct runtime *runtime; (runtime = next_joined(&bits));)
        runtime->frames(stack);
}

static unsigned bit_of(const struct runtime *runtime)
{
    unsigned index = 0;
    while (index < KNOWN && known[index] != runtime)
        index++;
    return 1u << index;
}

void runtime_join(const struct runtime *runtime)
{
    atomic_fetch_or(&joined, bit_of(runtime));
    recorder_language_frames = all_frames;
}

void runtime_part(const struct runtime *runtime)
{
    unsigned bit = bit_of(runtime);
    if ((atomic_fetch_and(&joined, ~bit) & ~bit) == 0)
        recorder_language_frames = NULL;
}

void runtimes_start(void)
{
    for (unsigned i = 0; i < KNOWN; i++)
        if (!known[i]->found())
            known[i]->start();
}

uint32_t runtimes_flags(void)
{
    uint32_t flags = 0;
    for (unsigned i = 0; i < KNOWN; i++)
        flags |= known[i]->flags ? known[i]->flags() : 0;
    return flags;
}

void runtimes_leave(void)
{
    for (unsigned i = 0; i < KNOWN; i++)
        known[i]->leave();
}

static enum trace_end end_by(enum runtime_closer closer)
{
    switch (closer) {
    case RUNTIME_REFERENCE:
    case RUNTIME_COLLECTOR:
        return TRACE_RECLAIMED;
    case RUNTIME_END:
        return TRACE_SHUTDOWN;
    default:
        return TRACE_RELEASED;
    }
}

enum trace_end runtimes_end(const void *caller)
{
    unsigned bits = atomic_load_explicit(&joined, memory_order_relaxed);
    for (const struct runtime *runtime; (runtime = next_joined(&bits));) {
        enum runtime_closer closer = runtime->closer ? runtime->closer(caller) : RUNTIME_NOT_MINE;
        if (closer != RUNTIME_NOT_MINE)
            return end_by(closer);
    }
    return TRACE_RELEASED;
}
