// What the runtimes that have joined said of themselves, for runtimes.c only.
#ifndef UNCLOSED_RECORDER_RUNTIMES_JOINED_H
#define UNCLOSED_RECORDER_RUNTIMES_JOINED_H

#include "trace/trace_format.h"

// Writes it into the header of a trace that is being opened. Takes runtimes_lock.
void joined_describe(struct trace_header *header);

#endif
