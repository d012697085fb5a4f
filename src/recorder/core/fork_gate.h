// What must not be under way in another thread while the process forks: the child would have it
// half done, and the locks of it taken, for ever.
//
// Who forks shuts the gate and waits until nobody is inside; not for ever, for whoever is inside
// may wait for the one who forks: it may be in a constructor, which holds the loader's lock, or be
// waited for by one.
#ifndef UNCLOSED_RECORDER_CORE_FORK_GATE_H
#define UNCLOSED_RECORDER_CORE_FORK_GATE_H

#include <stdatomic.h>
#include <stdbool.h>

#include "recorder/core/lock_order.h"

struct fork_gate {
    struct lock lock;      // held while it is shut
    atomic_uint inside;    // threads
    atomic_bool shut;      // do not go in
    atomic_bool past_hope; // who is inside was waited for in vain, and has not left since
};
#define FORK_GATE                                                                                  \
    {                                                                                              \
        .lock = LOCK_OF(LOCK_GATE)                                                                 \
    }

// Waits while a fork is under way. Thread-safe; not for signal handlers. Not twice by one thread.
void fork_gate_enter(struct fork_gate *gate);
void fork_gate_leave(struct fork_gate *gate);

// Before a fork and after it, in parent and child, by the same thread. false: somebody is inside
// still.
bool fork_gate_shut(struct fork_gate *gate);
void fork_gate_open(struct fork_gate *gate);

// In a child: nobody is inside any more. Result: whether somebody was.
bool fork_gate_forked(struct fork_gate *gate);

#endif
