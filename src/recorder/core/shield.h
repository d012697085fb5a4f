// Signals are held back while a thread is in the recorder, where a handler may not come back: one
// that jumps (siglongjmp, swapcontext), or a thread that may be cancelled at any instruction, would
// leave locks taken and tables half changed.
//
// Two system calls for each entry, so only in processes that were seen to do such a thing: a
// handler in a module that refers to jumps. What the processor itself finds (SIGSEGV and the like)
// is never held back. Cancellation is put off by its type, which costs no system call, in processes
// that have set that to asynchronous.
#ifndef UNCLOSED_RECORDER_CORE_SHIELD_H
#define UNCLOSED_RECORDER_CORE_SHIELD_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

enum {
    SHIELD_SIGNALS = 1 << 0, // a handler may jump
    SHIELD_CANCEL = 1 << 1,  // a thread may be cancelled at any instruction
};
extern atomic_uint shield_needed; // what this process was seen to do; only added to

struct shield {
    unsigned raised; // against which of them
    uint64_t mask;   // of the thread before
};

void shield_raise(struct shield *shield);
void shield_lower(struct shield *shield);

// Holds signals back whether or not there is a need.
void shield_hold_signals(struct shield *shield);

// Both are for the thread that calls, keep errno, and do nothing where there is no need.
// Async-signal-safe.
static inline void shield_up(struct shield *shield)
{
    if (__builtin_expect(atomic_load_explicit(&shield_needed, memory_order_relaxed) != 0, 0))
        shield_raise(shield);
}

static inline void shield_down(struct shield *shield)
{
    if (__builtin_expect(shield->raised != 0, 0))
        shield_lower(shield);
}

#endif
