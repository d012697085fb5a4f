// Where threads of a live process are at this moment, as somebody tells who may look into it.
//
// A report stops no process: it asks, gets addresses and lines, gives them names, and compares them
// with the stacks of acquires. Whoever answers (src/stacks) knows no traces.
#ifndef UNCLOSED_REPORT_CODE_NOW_H
#define UNCLOSED_REPORT_CODE_NOW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "report/code/memory.h"

struct now_frame {
    uint64_t address;     // native: return address; where the thread itself is, the same + 1
    const char *function; // of a language runtime, as is the file; NULL: a native frame
    const char *file;
    unsigned line; // 0: not known
};

struct now_thread {
    uint32_t tid; // asked: the thread's id as it knows it itself
    const char
        *problem;       // why there is no stack, to follow the thread's name ("has ended"); or NULL
    uint64_t began_ns;  // CLOCK_MONOTONIC; 0: not known
    uint64_t paused_ns; // how long it was paused, at most
    LIST(struct now_frame)
    frames;   // innermost first, those of a language runtime before native ones
    bool cut; // there are more
};

// A file that is mapped as a program or library.
struct now_module {
    uint64_t start, end; // the addresses it is mapped at
    uint64_t bias;       // address = ELF virtual address + bias
    const char *path;
};

struct now_process {
    pid_t pid;                       // asked: as seen from here
    LIST(struct now_thread) threads; // asked
    bool languages;                  // frames of language runtimes can be read, if there are any
    LIST(struct now_module) modules;
};

// Fills in the threads and modules. Everything in them is taken from the arena. Result: NULL, or
// why nothing could be found out at all and what helps.
typedef const char *now_look(struct arena *arena, struct now_process *process);

// What a thread's stack now tells about the function that acquired.
enum now_place {
    NOW_UNKNOWN = 0, // nothing
    NOW_INSIDE,      // it is active, called from where it was: that call, or a later one
    NOW_RETURNED,    // it is not active on this stack
};

struct frames;

// Compares the stack of an acquire, whose frame `function` is that of the function meant, with the
// stack of the same thread now. That a suspended generator or coroutine is on no stack is for the
// caller to know. greenlets: threads of this process may change between stacks of Python.
// at: an index in `now`; if NOW_INSIDE, of the function's frame; if NOW_RETURNED, of the nearest of
// its callers that is active from then, or still is; now->count if there is none.
enum now_place now_compare(const struct frames *acquire, size_t function, const struct frames *now,
                           bool greenlets, size_t *at);

#endif
