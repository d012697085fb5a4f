// Native stacks, by libunwind.
#ifndef UNCLOSED_UNWIND_H
#define UNCLOSED_UNWIND_H

#include <stdbool.h>
#include <stdint.h>

#include "recorder/session.h"

// Loads libunwind into a scope of its own. Called where loading is harmless: from the recorder's
// constructor or from within the program's own dlopen, once a traced function is in sight. Without
// libunwind, glibc's backtrace() is used.
void unwind_prepare(void);

// Finds out where the recorder's own code is: to be called before anything else.
void unwind_find_own(void);

// Another module was mapped where frames had been seen: what the unwinder remembers about these
// addresses is wrong. From now on each frame is looked up (slower).
void unwind_distrust(void);

// The return addresses of this thread's stack, innermost first, at most `depth` (of STACK_FRAMES).
// The recorder's own frames are left out; *wrapped tells how many wrapped calls are inside the real
// function.
void unwind_capture(struct stack *stack, uint32_t depth, uint32_t *wrapped);

// Whether `address` is in the recorder's own code.
bool unwind_is_own(uint64_t address);

#endif
