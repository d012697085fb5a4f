// Which threads are inside the recorder: for a detach, which must not take away what they use.
//
// Knows nothing of what they do there. A thread only stores to memory of its own; the one that
// detaches looks at that of all others.
#ifndef UNCLOSED_RECORDER_CORE_PRESENCE_H
#define UNCLOSED_RECORDER_CORE_PRESENCE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

struct presence {
    atomic_bool inside;
    uintptr_t thread;  // address of its thread-local storage; one thread at a time has it
    uint64_t acquires; // recorded by those threads
    struct presence *next;
};

// The place of the calling thread, kept for the life of the process and used again by a thread
// whose storage is at the same address. thread: any thread-local variable, always the same one.
// NULL: out of memory. Thread-safe; not async-signal-safe.
struct presence *presence_of(const void *thread);

// What all threads have recorded since presence_forget_acquires; about, while they do.
uint64_t presence_acquires(void);
void presence_forget_acquires(void);

// In a forked child, where the other threads are not.
void presence_forked(void);

// Waits until no thread but the caller's is inside, for at most two seconds; new ones must be kept
// out already (recorder_active). false: somebody still is.
bool presence_wait(const void *thread);

#endif
