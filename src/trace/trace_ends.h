// Sums over trace_site.ended: which of the ways to end mean what. For both sides of the file.
#ifndef UNCLOSED_TRACE_TRACE_ENDS_H
#define UNCLOSED_TRACE_TRACE_ENDS_H

#include <stdbool.h>

#include "trace/trace_format.h"

// Released by the code, also where that left it to the end of a scope.
static inline bool trace_end_is_released(enum trace_end end)
{
    return end == TRACE_RELEASED || end == TRACE_RELEASED_SCOPE || end == TRACE_RELEASED_EXIT;
}

// Closed by a runtime; the code never did.
static inline bool trace_end_is_reclaimed(enum trace_end end)
{
    return end == TRACE_RECLAIMED || end == TRACE_SHUTDOWN || end == TRACE_COLLECTED ||
           end == TRACE_REQUEST;
}

static inline uint64_t trace_count_released(const uint64_t ended[TRACE_ENDS])
{
    return ended[TRACE_RELEASED] + ended[TRACE_RELEASED_SCOPE] + ended[TRACE_RELEASED_EXIT];
}

static inline uint64_t trace_count_reclaimed(const uint64_t ended[TRACE_ENDS])
{
    return ended[TRACE_RECLAIMED] + ended[TRACE_SHUTDOWN] + ended[TRACE_COLLECTED] +
           ended[TRACE_REQUEST];
}

#endif
