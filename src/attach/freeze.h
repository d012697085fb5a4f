// All threads of the target stopped at once, and let go again.
//
// Interrupts all of them first and waits afterwards: one after the other would keep the first one
// waiting for the last. To be used in a child process like all of tracee.h.
#ifndef UNCLOSED_ATTACH_FREEZE_H
#define UNCLOSED_ATTACH_FREEZE_H

#include <stddef.h>
#include <stdint.h>

#include "attach/target.h"
#include "attach/tracee.h"

struct freeze {
    const struct target *target;
    struct tracee **threads; // those that are stopped, and those that have ended since
    size_t count, room;
    uint64_t begin; // process_now when the first one was asked to stop
};

// Stops all threads, those that are made meanwhile included. Result: 0; -ETIMEDOUT: one of them
// could not be stopped before `deadline` (process_now); -errno. All are let go if it is not 0.
int freeze_begin(struct freeze *freeze, const struct target *target, uint64_t deadline);

// Resumes all of them. Result: how long the first one was paused, in ns.
uint64_t freeze_end(struct freeze *freeze);

#endif
