// Stacks of the recorder's own, for work that needs more than a traced call may take of the
// program's: coroutines, signal stacks and threads of PTHREAD_STACK_MIN have little to spare.
//
// A signal handler of the program may run on such a stack while a thread is there: it is as large
// as many a thread's, with a page below that cannot be touched. A handler on a signal stack is
// another matter: the kernel looks where the stack pointer is, and begins at the top of the signal
// stack if that is elsewhere. So a thread that leaves its signal stack for one of ours has
// none meanwhile, and signals are held back; in processes that were seen to have such handlers.
//
// Stacks are taken for the time of one call and given back: there are as many as threads that were
// ever at such work at the same time, at most OWN_STACKS. What leaves by a jump takes one with it.
// Without one, the work is done on the caller's stack. What runs there returns, and runs nothing of
// the program. Unwinding passes (own_stack_*.S). A shadow stack sees calls and returns as usual.
#ifndef UNCLOSED_RECORDER_CORE_OWN_STACK_H
#define UNCLOSED_RECORDER_CORE_OWN_STACK_H

#include <stdatomic.h>
#include <stdbool.h>

enum { OWN_STACKS = 32, OWN_STACK_BYTES = 256 << 10 };

// Calls work(data) there. Async-signal-safe, if work is; errno may change.
void own_stack_call(void (*work)(void *data), void *data);

// A handler of this process runs on a signal stack (SA_ONSTACK).
extern atomic_bool own_stack_has_signal_stacks;

#endif
