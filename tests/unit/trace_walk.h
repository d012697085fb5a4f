// Touches everything that a reader gives access to: what a damaged trace must not turn into an
// access outside. Used by the unit tests and by the fuzzer.
#ifndef UNCLOSED_TESTS_TRACE_WALK_H
#define UNCLOSED_TESTS_TRACE_WALK_H

#include "trace/trace_reader.h"

void walk_trace(const struct trace_reader *reader);

#endif
