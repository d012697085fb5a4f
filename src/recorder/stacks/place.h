// Naming frames from inside the process, with what the recorder itself knows.
//
// Reads the trace and takes no lock: async-signal-safe, unless the loader is asked for names.
#ifndef UNCLOSED_RECORDER_STACKS_PLACE_H
#define UNCLOSED_RECORDER_STACKS_PLACE_H

#include <stdbool.h>
#include <string.h>

#include "recorder/core/log.h"
#include "trace/trace_format.h"

static inline const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

// Calls `visit` for each record of a type in this process's trace.
void each_record(enum trace_chunk_type type,
                 void (*visit)(const void *record, uint32_t ref, void *data), void *data);

// Writes a frame of a stack of this process's trace: "app.py:12 render", "function (module+0x12)".
// symbols: the loader is asked for names of functions, which takes its lock.
void log_frame(struct log *log, uint64_t frame, bool symbols);

// Where the sessions of a site were acquired: the first frame of a language runtime that is not of
// an installed package, else the innermost native one. Without names of functions.
void log_site(struct log *log, const struct trace_site *site);

#endif
