// /proc/PID/stat and status, see proc(5): the one place where they are taken apart. In the lowest
// room, because the reader of traces asks whether a process is still the one that wrote them.
//
// Async-signal-safe and thread-safe: no malloc, no stdio, no cancellation point. errno may change.
#ifndef UNCLOSED_TRACE_PROC_H
#define UNCLOSED_TRACE_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Reads the beginning of a file, at most `bytes` of it. Result: bytes read, 0 if there is none.
size_t proc_read(const char *path, void *to, size_t bytes);

struct proc_stat {
    char state;           // field 3: R, S, D, Z (has ended and is not waited for), X ...
    uint64_t start_ticks; // field 22: when it began, in clock ticks (sysconf) since the machine did
};

// Whether a process in that state has ended.
bool proc_has_ended(const struct proc_stat *stat);

// Takes the text of a stat file apart. false: it is none.
bool proc_stat_parse(const char *text, struct proc_stat *stat);

// The same for the file at `path`: /proc/PID/stat or /proc/PID/task/TID/stat.
bool proc_stat_read(const char *path, struct proc_stat *stat);

// The value of a key ("SigBlk") in the text of a status file, without the blanks before it, and how
// long it is. NULL: there is no such key.
const char *proc_status_find(const char *text, const char *key, size_t *bytes);

#endif
