// From what a user names (trace files, folders, process ids) to trace files.
//
// Knows that a trace begins with its magic, and /proc; not what is in a trace. Not thread-safe.
#ifndef UNCLOSED_REPORT_PROFILE_SOURCES_H
#define UNCLOSED_REPORT_PROFILE_SOURCES_H

#include <stdbool.h>
#include <sys/types.h>

#include "report/code/memory.h"

struct trace_source {
    const char *path;
    pid_t pid; // that has it mapped, if it was found through a process; else 0
};

struct trace_sources {
    struct arena *arena;
    LIST(struct trace_source) list;
    LIST(const char *) problems; // each names the thing, the reason and the remedy
};

// Adds the traces behind `name`: a file, all traces of a folder (not of its subfolders), or those
// that the process of that number has mapped.
// quiet: a folder without traces is no problem.
void trace_sources_add(struct trace_sources *sources, const char *name, bool quiet);

#endif
