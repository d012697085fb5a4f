// How large a record of each type is, or the unit of a space without records: for the writer and
// the readers.
#ifndef UNCLOSED_TRACE_TRACE_UNITS_H
#define UNCLOSED_TRACE_TRACE_UNITS_H

#include "trace/trace_format.h"

static const uint16_t trace_unit_bytes[TRACE_CHUNK_TYPES] = {
    [TRACE_STRINGS] = 1,
    [TRACE_STACKS] = 8,
    [TRACE_MODULES] = sizeof(struct trace_module),
    [TRACE_LOCATIONS] = sizeof(struct trace_location),
    [TRACE_FUNCTIONS] = sizeof(struct trace_function),
    [TRACE_POOLS] = sizeof(struct trace_pool),
    [TRACE_SITES] = sizeof(struct trace_site),
    [TRACE_SESSIONS] = sizeof(struct trace_session),
    [TRACE_MISUSES] = sizeof(struct trace_misuse),
    [TRACE_EXHAUSTIONS] = 8,
    [TRACE_HISTORIES] = sizeof(struct trace_history),
};

#endif
