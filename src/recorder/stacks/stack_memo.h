// Stacks seen before: recognizing this thread's stack without unwinding it.
#ifndef UNCLOSED_RECORDER_STACKS_STACK_MEMO_H
#define UNCLOSED_RECORDER_STACKS_STACK_MEMO_H

#include <stdbool.h>
#include <stdint.h>

#include "recorder/core/stack.h"

// Where a stack begins: the place of the innermost return address that is the program's, below
// which the caller's frame pointer has been saved.
struct stack_origin {
    const uint64_t *return_slot;
    const uint64_t *frame_slot;
};

// Fills in `stack` if the one that begins at `origin` is known to this thread and has not changed.
// The frames are put behind those that `stack` has already.
bool stack_memo_recall(const struct stack_origin *origin, struct stack *stack);

// Whether it is time to remember the stack at `origin`, which was not recalled: it has been met
// again and again.
bool stack_memo_wants(const struct stack_origin *origin);

// A step of an unwinder: the return address and where it lies, and where the frame pointer of its
// function was saved (NULL: in no memory).
struct stack_step {
    uint64_t address;
    const uint64_t *slot, *frame_slot;
};

// Remembers a stack. false from next(): there is no more. What does not agree with `frames` (as a
// backtrace gave them, the recorder's own included) is not remembered.
void stack_memo_keep(const struct stack_origin *origin, void *const *frames, uint32_t count,
                     bool cut, bool (*next)(void *data, struct stack_step *step), void *data);

// All threads forget everything: code was replaced.
void stack_memo_forget(void);

#endif
