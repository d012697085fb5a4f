// Taking the stack of the calling thread: see capture.h. Knows the unwinder and the stacks that
// were seen before; nothing of sessions.
#include "recorder/stacks/capture.h"

#include <sched.h>
#include <stdatomic.h>
#include <string.h>

#include "recorder/core/arch.h"
#include "recorder/core/lock_order.h"
#include "recorder/core/recorder.h"
#include "recorder/stacks/own_code.h"
#include "recorder/stacks/unwind.h"
#include "trace/lock.h"

enum {
    OWN_FRAMES = 12, // of ours at the innermost end, at most
    FRAMES = STACK_FRAMES + OWN_FRAMES,
};

static struct lock gate = LOCK_OF(LOCK_GATE); // held while a fork is under way
static atomic_uint unwinding;                 // threads inside libunwind
static atomic_bool forking;                   // do not go in

static void gate_enter(void)
{
    atomic_fetch_add(&unwinding, 1);
    while (atomic_load(&forking)) {
        atomic_fetch_sub(&unwinding, 1);
        lock_take(&gate); // until the fork is over
        lock_give(&gate);
        atomic_fetch_add(&unwinding, 1);
    }
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
    atomic_fetch_sub(&unwinding, 1);
}

void capture_prepare_fork(void)
{
    lock_take(&gate);
    atomic_store(&forking, true);
    while (atomic_load(&unwinding) > 0)
        (void)sched_yield();
}

void capture_after_fork(void)
{
    atomic_store(&forking, false);
    lock_give(&gate);
}

void capture_forked_unprepared(void)
{
    if (atomic_exchange(&unwinding, 0) > 0)
        unwind_backtrace = NULL; // its locks may be taken for ever
    atomic_store(&forking, false);
    lock_init(&gate);
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

// Inlined into its callers: each frame of ours costs as much to unwind as one of the program's.
static inline __attribute__((always_inline)) void unwind_into(const struct stack_origin *origin,
                                                              struct stack *stack, uint32_t depth)
{
    void *frames[FRAMES];
    int most = (int)depth + OWN_FRAMES;
    gate_enter();
    unwind_way way = unwind_begin();
    if (way) {
        int count = way(frames, most);
        for (int i = 0; i < count; i++)
            frames[i] = ARCH_RETURN_ADDRESS(frames[i]);
        int seen = copy_frames(stack, depth, frames, count);
        stack->cut = seen < count || count == most;
        if (origin && stack_memo_wants(origin))
            remember(origin, frames, seen, stack->cut);
    } else if (origin) {
        stack->frames[stack->count++] = *origin->return_slot;
    }
    gate_leave();
}

static void begin(struct stack *stack)
{
    stack->count = 0;
    stack->cut = false;
    stack->hash = 0;
    if (recorder_language_frames)
        recorder_language_frames(stack);
}

void stack_capture_from(const struct stack_origin *origin, struct stack *stack)
{
    begin(stack);
    if (!stack_memo_recall(origin, stack))
        unwind_into(origin, stack, recorder_options.depth);
}

void stack_capture(struct stack *stack)
{
    begin(stack);
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

uint32_t stack_count_returns(const void *one, const void *other)
{
    void *frames[FRAMES];
    uint32_t found = 0;
    gate_enter();
    unwind_way way = unwind_begin();
    int count = way ? way(frames, FRAMES) : 0;
    for (int i = 0; i < count; i++)
        found += ARCH_RETURN_ADDRESS(frames[i]) == one || ARCH_RETURN_ADDRESS(frames[i]) == other;
    gate_leave();
    return found;
}
