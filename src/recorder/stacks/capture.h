// Taking the stack of the calling thread.
#ifndef UNCLOSED_RECORDER_STACKS_CAPTURE_H
#define UNCLOSED_RECORDER_STACKS_CAPTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "recorder/stacks/stack_memo.h"

// Fills in the stack that begins at `origin`, like stack_capture (recorder.h).
void stack_capture_from(const struct stack_origin *origin, struct stack *stack);

// How many wrapped calls of this thread are inside the real function.
uint32_t stack_count_wrapped(void);

// Around fork: waits until no thread is unwinding, because libunwind has locks, and keeps it so.
// Not to be called on a thread that is inside the recorder.
void capture_prepare_fork(void);
void capture_after_fork(void);

// In a child of a fork that was not prepared: libunwind is not used any more if a thread that is
// not there was in it.
void capture_forked_unprepared(void);

#endif
