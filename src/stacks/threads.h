// The threads of a live process by the ids that they have in their own pid namespace. Not
// thread-safe.
#ifndef UNCLOSED_STACKS_THREADS_H
#define UNCLOSED_STACKS_THREADS_H

#include <stdint.h>
#include <sys/types.h>

#include "report/code/memory.h"

struct threads; // opaque: those there were when it was made

struct threads *threads_read(struct arena *arena, pid_t pid);

// The id that a thread has here, or 0: there is no such thread.
pid_t threads_find(const struct threads *threads, uint32_t own_tid);

// When a thread began, CLOCK_MONOTONIC in ns, to a hundredth of a second; 0: not known.
uint64_t threads_began(pid_t pid, pid_t tid);

#endif
