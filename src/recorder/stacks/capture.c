// Taking the stack of the calling thread: see capture.h. Knows the unwinder and the stacks that
// were seen before; nothing of sessions.
#include "recorder/stacks/capture.h"

#include <string.h>

#include "recorder/core/arch.h"
#include "recorder/core/fork_gate.h"
#include "recorder/core/list_lock.h"
#include "recorder/core/lock_order.h"
#include "recorder/core/own_stack.h"
#include "recorder/core/recorder.h"
#include "recorder/stacks/own_code.h"
#include "recorder/stacks/unwind.h"

enum {
    OWN_FRAMES = 16, // of ours at the innermost end, at most
    FRAMES = STACK_FRAMES + OWN_FRAMES,
};

static struct fork_gate gate = FORK_GATE; // threads inside libunwind

static void gate_enter(void)
{
    fork_gate_enter(&gate);
    lock_order_take(LOCK_GATE, LOCK_HERE);
    // What libunwind takes.
    lock_order_take(LOCK_MODULE_LIST, LOCK_HERE);
    lock_order_take(LOCK_MALLOC, LOCK_HERE);
    lock_order_give(LOCK_MALLOC);
    lock_order_give(LOCK_MODULE_LIST);
}

static void gate_leave(void)
{
    lock_order_give(LOCK_GATE);
    fork_gate_leave(&gate);
}

void capture_prepare_fork(void)
{
    (void)fork_gate_shut(&gate);
}

void capture_after_fork(bool in_child)
{
    fork_gate_open(&gate);
    if (in_child)
        capture_forked_unprepared();
}

void capture_forked_unprepared(void)
{
    if (fork_gate_forked(&gate) || list_lock_is_lost())
        unwind_give_up(); // its locks, or the loader's, may be taken for ever
}

// Copies what is not the recorder's own. Result: frames looked at.
static inline int copy_frames(struct stack *stack, uint32_t depth, void *const *frames, int count)
{
    uint32_t kept = stack->count;
    uint32_t end = kept + depth < STACK_FRAMES ? kept + depth : STACK_FRAMES;
    int i = 0;
    for (; i < count && kept < end; i++) {
        stack->frames[kept] = (uint64_t)(uintptr_t)frames[i];
        kept += !own_code_has(stack->frames[kept]);
    }
    stack->count = kept;
    return i;
}

static void remember(const struct stack_origin *origin, void *const *frames, int seen, bool cut)
{
    int first = 0;
    while (first < seen && (uint64_t)(uintptr_t)frames[first] != *origin->return_slot)
        first++;
    if (first < seen)
        unwind_remember(origin, frames + first, (uint32_t)(seen - first), cut);
}

struct unwinding {
    const struct stack_origin *origin; // NULL: none
    struct stack *stack;
    uint32_t depth;
};

// On a stack of our own: libunwind takes some 9 kB.
static void unwind_there(void *data)
{
    const struct unwinding *to = data;
    struct stack *stack = to->stack;
    void *frames[FRAMES];
    int most = (int)to->depth + OWN_FRAMES;
    unwind_way way = unwind_begin();
    if (way) {
        int count = way(frames, most);
        for (int i = 0; i < count; i++)
            frames[i] = ARCH_RETURN_ADDRESS(frames[i]);
        int seen = copy_frames(stack, to->depth, frames, count);
        stack->cut = seen < count || count == most;
        if (to->origin && stack_memo_wants(to->origin))
            remember(to->origin, frames, seen, stack->cut);
    } else if (to->origin) {
        stack->frames[stack->count++] = *to->origin->return_slot;
    }
}

// Inlined into its callers: each frame of ours costs as much to unwind as one of the program's.
static inline __attribute__((always_inline)) void unwind_into(const struct stack_origin *origin,
                                                              struct stack *stack, uint32_t depth)
{
    struct unwinding to = {origin, stack, depth};
    gate_enter();
    own_stack_call(unwind_there, &to);
    gate_leave();
}

static void begin(struct stack *stack, const struct stack_origin *origin)
{
    stack->count = 0;
    stack->cut = false;
    stack->hash = 0;
    if (recorder_language_frames)
        recorder_language_frames(stack, origin);
}

void stack_capture_from(const struct stack_origin *origin, struct stack *stack)
{
    begin(stack, origin);
    if (!stack_memo_recall(origin, stack))
        unwind_into(origin, stack, recorder_options.depth);
}

void stack_capture(struct stack *stack)
{
    begin(stack, NULL);
    unwind_into(NULL, stack, recorder_options.depth);
}

void stack_native_from(const struct stack_origin *origin, struct stack *stack)
{
    stack->count = 0;
    stack->cut = false;
    stack->hash = 0;
    if (!stack_memo_recall(origin, stack))
        unwind_into(origin, stack, recorder_options.depth);
}

struct counting {
    const void *one, *other;
    uint32_t found;
};

static void count_there(void *data)
{
    struct counting *counting = data;
    void *frames[FRAMES];
    unwind_way way = unwind_begin();
    int count = way ? way(frames, FRAMES) : 0;
    for (int i = 0; i < count; i++) {
        const void *address = ARCH_RETURN_ADDRESS(frames[i]);
        counting->found += address == counting->one || address == counting->other;
    }
}

uint32_t stack_count_returns(const void *one, const void *other)
{
    struct counting counting = {one, other, 0};
    gate_enter();
    own_stack_call(count_there, &counting);
    gate_leave();
    return counting.found;
}
