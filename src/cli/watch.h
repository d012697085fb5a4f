// Watching traces from outside, while their processes run, for sessions held longer than
// --threshold: one line the moment that happens, and one when the session comes back.
//
// Knows traces and how a report names a site; not where the traces come from. Not thread-safe.
#ifndef UNCLOSED_CLI_WATCH_H
#define UNCLOSED_CLI_WATCH_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

struct watch; // opaque

// log: the file to which lines are appended; "": standard error.
struct watch *watch_new(uint64_t threshold_ns, const char *log);

// Watches the trace `path` from now on; nothing if it does so already, or did. pid: as of
// reader_open.
void watch_add(struct watch *watch, const char *path, pid_t pid);
bool watch_knows(const struct watch *watch, const char *path);

// Looks at all of them, which takes some milliseconds, more when there is something to tell.
// Result: nanoseconds until it should be called again.
uint64_t watch_look(struct watch *watch);

// Looks for the last time, and tells what was kept back. NULL is fine.
void watch_end(struct watch *watch);

#endif
