// The gate: see fork_gate.h. Knows nothing of what is behind it.
#include "recorder/core/fork_gate.h"

#include <sched.h>
#include <time.h>

enum { YIELDS = 100, NAP_NS = 100000, NAPS = 2000 }; // 0.2 s

void fork_gate_enter(struct fork_gate *gate)
{
    atomic_fetch_add(&gate->inside, 1);
    while (atomic_load(&gate->shut)) {
        fork_gate_leave(gate);
        lock_take(&gate->lock); // until the fork is over
        lock_give(&gate->lock);
        atomic_fetch_add(&gate->inside, 1);
    }
}

void fork_gate_leave(struct fork_gate *gate)
{
    if (atomic_fetch_sub(&gate->inside, 1) == 1)
        atomic_store(&gate->past_hope, false);
}

bool fork_gate_shut(struct fork_gate *gate)
{
    const struct timespec nap = {0, NAP_NS};
    lock_take(&gate->lock);
    atomic_store(&gate->shut, true);
    for (int i = 0; atomic_load(&gate->inside) > 0; i++) {
        if (atomic_load(&gate->past_hope) || i == YIELDS + NAPS) {
            atomic_store(&gate->past_hope, true);
            return false;
        }
        if (i < YIELDS)
            (void)sched_yield();
        else
            (void)clock_nanosleep(CLOCK_MONOTONIC, 0, &nap, NULL);
    }
    return true;
}

void fork_gate_open(struct fork_gate *gate)
{
    atomic_store(&gate->shut, false);
    lock_give(&gate->lock);
}

bool fork_gate_forked(struct fork_gate *gate)
{
    atomic_store(&gate->shut, false);
    atomic_store(&gate->past_hope, false);
    lock_init(&gate->lock);
    return atomic_exchange(&gate->inside, 0) > 0;
}
