// The way of a session: see ways.h.
#include "recorder/books/ways.h"

#include "recorder/books/session.h"
#include "recorder/books/sites.h"
#include "recorder/core/own_stack.h"
#include "recorder/core/recorder.h"
#include "recorder/stacks/capture.h"

__thread struct way_fresh way_fresh;

// A place for `stack` among those of a site, or NULL. Two threads may take two places for one
// stack: whoever reads adds them up.
static struct trace_way *way_of(struct trace_site *site, uint32_t stack)
{
    for (int i = 0; i < TRACE_WAYS; i++) {
        uint32_t there = TRACE_NONE;
        struct trace_way *way = &site->ways[i];
        if (__atomic_load_n(&way->stack, __ATOMIC_RELAXED) == stack ||
            __atomic_compare_exchange_n(&way->stack, &there, stack, false, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED))
            return way;
    }
    return NULL;
}

struct moment {
    uint64_t now_ns;
    uint32_t stack; // TRACE_NONE: lost, or nothing is seen
};

static void look(void *data)
{
    struct moment *moment = data;
    struct stack stack;
    stack_capture(&stack);
    moment->stack = stack.count > 0 ? stack_intern(&stack, moment->now_ns) : TRACE_NONE;
}

// The stack of this moment.
static uint32_t here(uint64_t now_ns)
{
    struct moment moment = {now_ns, TRACE_NONE};
    if (recorder_language_frames) // asks where its thread's stack ends
        look(&moment);
    else
        own_stack_call(look, &moment);
    return moment.stack;
}

void way_note_release(struct trace_site *site, uint64_t now_ns)
{
    uint32_t stack = here(now_ns);
    struct trace_way *way = stack != TRACE_NONE ? way_of(site, stack) : NULL;
    __atomic_add_fetch(way ? &way->count : &site->ways_more, 1, __ATOMIC_RELAXED);
}

void way_note_use(bool use, uint64_t now_ns)
{
    const struct way_fresh fresh = way_fresh;
    way_fresh.handle = 0;
    struct trace_site *site =
        use && fresh.generation == recorder_generation ? site_record(fresh.site) : NULL;
    if (site && site->used == TRACE_NONE)
        __atomic_store_n(&site->used, here(now_ns), __ATOMIC_RELAXED);
}
