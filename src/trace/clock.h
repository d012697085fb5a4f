// What a clock says, in the unit of all times here.
#ifndef UNCLOSED_TRACE_CLOCK_H
#define UNCLOSED_TRACE_CLOCK_H

#include <stdint.h>
#include <time.h>

// Nanoseconds of a clock of clock_gettime(2) that this machine has. Thread- and
// async-signal-safe.
static inline uint64_t clock_now(clockid_t clock)
{
    struct timespec now;
    (void)clock_gettime(clock, &now);
    return (uint64_t)now.tv_sec * UINT64_C(1000000000) + (uint64_t)now.tv_nsec;
}

#endif
