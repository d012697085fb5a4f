// Native stacks, by libunwind.
#ifndef UNCLOSED_RECORDER_STACKS_UNWIND_H
#define UNCLOSED_RECORDER_STACKS_UNWIND_H

#include <stdbool.h>
#include <stdint.h>

#include "recorder/stacks/stack_memo.h"

// Loads libunwind into a scope of its own. Called where loading is harmless: from the recorder's
// constructor or from within the program's own dlopen, once a traced function is in sight. Without
// libunwind, glibc's backtrace() is used.
void unwind_prepare(void);

// Another module was mapped where frames had been seen: what the unwinder remembers about these
// addresses is wrong. From now on each frame is looked up (slower).
void unwind_distrust(void);

// Not used any more in this process: stacks have one frame.
void unwind_give_up(void);

// How to unwind: writes the return addresses of this thread's stack, innermost first, at most
// `depth`, and says how many. NULL before unwind_prepare.
typedef int (*unwind_way)(void **frames, int depth);
extern unwind_way unwind_backtrace;

// The way that suits the calling thread, to be used once, by the function that asks: a function
// around it would be one more frame to unwind. NULL: there is none.
unwind_way unwind_begin(void);

// Remembers the stack that begins at `origin`, of which unwind_backtrace said `frames`, from the
// origin on (see stack_memo.h).
void unwind_remember(const struct stack_origin *origin, void *const *frames, uint32_t count,
                     bool cut);

#endif
