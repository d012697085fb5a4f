// What threads of a live process have at one moment each: registers, stack, Python frames.
//
// Each thread is stopped by ptrace, copied and let go at once; it notices nothing, also in system
// calls that wait (see attach/tracee.h). Threads are stopped one after the other, never two at a
// time. Nothing is looked up while a thread is paused. Not thread-safe.
#ifndef UNCLOSED_STACKS_SNAPSHOT_H
#define UNCLOSED_STACKS_SNAPSHOT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "attach/arch.h"
#include "attach/failure.h"
#include "attach/target.h"
#include "stacks/modules.h"
#include "stacks/python.h"

enum { SNAPSHOT_STACK_BYTES = 512 * 1024 };

struct snapshot {
    pid_t tid;          // asked: as seen from here
    uint32_t own_tid;   // asked: as the thread knows it itself
    int error;          // 0; -ESRCH: it has ended; -EBUSY: traced by `tracer`; -ETIMEDOUT: did not
                        // stop in time, its state is `state`; -errno
    pid_t tracer;       // another process that traces it
    char state;         // letter as in /proc/PID/stat
    uint64_t paused_ns; // from the order to stop until it was resumed: it was paused for less
    struct arch_registers registers;
    uint64_t stack;     // address that the copied bytes begin at
    size_t stack_bytes; // as many as could be read; SNAPSHOT_STACK_BYTES: there is more
    struct python_snapshot python;
    uint8_t data[SNAPSHOT_STACK_BYTES];
};

// Memory for `count` snapshots, zeroed; only what is used takes up room. NULL: there is none.
struct snapshot *snapshot_new(size_t count);
void snapshot_free(struct snapshot *snapshots, size_t count); // NULL is fine

// What is known of a process before its threads are stopped.
struct snapshot_source {
    const struct target *target;
    const struct modules *modules;
    const struct python_remote *python; // NULL: there is no interpreter
};

// Takes the snapshots. Result: 0, with an error or none in each snapshot; or -errno with *failure
// filled in.
int snapshot_take(const struct snapshot_source *source, struct snapshot *snapshots, size_t count,
                  struct failure *failure);

#endif
