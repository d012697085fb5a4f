// Where this process's trace goes, and what its header says.
#ifndef UNCLOSED_RECORDER_LIFE_TRACE_FILE_H
#define UNCLOSED_RECORDER_LIFE_TRACE_FILE_H

#include "trace/trace_writer.h"

// Creates the trace where the options say, else in the fallback folder; a name that is taken gets
// another one. If neither folder can be written, says so on the log, once, and keeps the trace in
// memory, so that the summary still works. Result: 0 or -errno if there is no memory either.
int trace_file_create(struct trace_writer *writer);

#endif
