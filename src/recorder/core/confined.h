// A process that has added a seccomp filter may be killed by the next system call that it does not
// make itself. From then on the recorder makes none, but to wait for its own locks, and has only
// what it reserved before: what does not fit is lost, and counted (TRACE_LOST_FILTER).
#ifndef UNCLOSED_RECORDER_CORE_CONFINED_H
#define UNCLOSED_RECORDER_CORE_CONFINED_H

#include <stdatomic.h>
#include <stdbool.h>

#include "trace/trace_writer.h"

extern atomic_bool confined_flag;

static inline bool is_confined(void)
{
    return __builtin_expect(atomic_load_explicit(&confined_flag, memory_order_relaxed), 0);
}

// A filter is about to be added: reserves memory and room in the trace (NULL: there is none), then
// the recorder is confined, for good. Inside recorder_enter, with no lock held.
void confine(struct trace_writer *trace);

#endif
