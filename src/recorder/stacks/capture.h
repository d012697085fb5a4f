// Taking the stack of the calling thread.
#ifndef UNCLOSED_RECORDER_STACKS_CAPTURE_H
#define UNCLOSED_RECORDER_STACKS_CAPTURE_H

#include <stdbool.h>
#include <stdint.h>

#include "recorder/stacks/stack_memo.h"

// Fills in the native stack of this thread, innermost first, without the recorder's own frames, and
// what a language runtime puts in front of it.
void stack_capture(struct stack *stack);

// The same for the stack that begins at `origin`.
void stack_capture_from(const struct stack_origin *origin, struct stack *stack);

// The same without the frames of language runtimes.
void stack_native_from(const struct stack_origin *origin, struct stack *stack);

// How often one of two return addresses is on this thread's stack: the recorder's own may be asked
// for.
uint32_t stack_count_returns(const void *one, const void *other);

// Around a fork: waits until no other thread is unwinding, because libunwind has locks, and keeps
// it so. Not to be called on a thread that is inside the recorder. In a child in which one was that
// is not there, or in which the loader's list cannot be walked, libunwind is not used any more.
void capture_prepare_fork(void);
void capture_after_fork(bool in_child);

// In a child of a fork that was not prepared, instead.
void capture_forked_unprepared(void);

#endif
