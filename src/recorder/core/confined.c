// The end of system calls: see confined.h. Knows what has to be reserved.
#include "recorder/core/confined.h"

#include "recorder/core/arena.h"

atomic_bool confined_flag;

void confine(struct trace_writer *trace)
{
    enum { MEMORY_BYTES = 4 << 20 };
    if (is_confined())
        return;
    arena_seal(MEMORY_BYTES);
    if (trace)
        trace_seal(trace);
    atomic_store(&confined_flag, true);
}
