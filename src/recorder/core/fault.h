// Faults in the mapped trace: a file that somebody has shortened is a SIGBUS for the thread that
// touches it.
//
// The disposition of SIGBUS is taken only where the program has left it at its default, and the
// program is shown that default. A fault in memory of the trace puts memory of this process in its
// place, and the recording ends until it is renewed (recorder_damage); any other SIGBUS does what
// it would have done without us: same signal, same si_code, same core.
//
// Not seen: a thread that blocks SIGBUS (the kernel ends the process at once), and a program that
// handles SIGBUS itself.
#ifndef UNCLOSED_RECORDER_CORE_FAULT_H
#define UNCLOSED_RECORDER_CORE_FAULT_H

#include <signal.h>

#include "trace/trace_writer.h"

// Memory of this trace is ours, from now on and for ever; it may be no trace at times. At most
// FAULT_TRACES, before fault_take.
enum { FAULT_TRACES = 2 };
void fault_watch(const struct trace_writer *writer);

// Takes SIGBUS if the program has left it at its default, or gives it back if it is ours.
// Thread-safe.
void fault_take(void);
void fault_give_back(void);

// What the program is to see in `action`, which it got from sigaction or made of the result of
// signal: its own default where there is our handler.
void fault_hide(struct sigaction *action);
void fault_hide_handler(uint64_t *handler);

#endif
