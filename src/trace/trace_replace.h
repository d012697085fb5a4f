// Making room for a trace whose name is taken: `--force`.
//
// Knows what a trace looks like from outside, and nothing of what is in it.
#ifndef UNCLOSED_TRACE_TRACE_REPLACE_H
#define UNCLOSED_TRACE_TRACE_REPLACE_H

#include <stdbool.h>
#include <stdint.h>

// Whether the file `path` may be replaced by a new trace: it is a regular file under this one name,
// belongs to the effective user and begins like a trace, and the process that wrote it (another one
// than `pid`) has ended.
// run_id: of the run that asks; its own traces are never replaced. 0: none.
// Result: 0; -ENOENT: there is no such file; -EEXIST: there is, and it has to stay. Never waits,
// whatever kind of file it is. Thread-safe; async-signal-safe; no cancellation point; errno may
// change.
int trace_may_replace(const char *path, uint32_t pid, uint64_t run_id);

// Removes the file `path` if it may be replaced and still is the one that was looked at. Arguments,
// result and safety as above.
int trace_remove_old(const char *path, uint32_t pid, uint64_t run_id);

#endif
