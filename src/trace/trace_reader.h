// Reading a trace file, also one that is damaged, cut, or still being written to.
//
// Knows the file format and nothing of symbols, sites' names or reports. Everything is copied out
// of the file and checked once, on opening: after that each reference in each record is either
// TRACE_NONE or leads to a complete record, and each text is NUL-terminated. What had to be given
// up is reported in `problems`, one message each with file, what, where and remedy.
//
// A live process is read from outside without stopping it: spaces are read in the order in which
// records refer to each other, so that whatever a record names was there before, and session slots
// are read until two copies agree.
//
// Thread safety: a reader is used by one thread at a time. Not for use in signal handlers.
#ifndef UNCLOSED_TRACE_TRACE_READER_H
#define UNCLOSED_TRACE_TRACE_READER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "trace/trace_format.h"

enum reader_state {
    READER_RUNNING,  // the process lives and its trace is mapped
    READER_EXITED,   // header.end_status is the exit status
    READER_SIGNALED, // header.end_status is the signal
    READER_EXEC,     // the process lives, but runs another program now
    READER_DETACHED, // the recorder has left the process
    READER_GONE,     // ended, it is not known how
};

// One chunk of a space, as copied out of the file.
struct reader_chunk {
    uint64_t offset; // of the chunk in the file
    uint64_t bytes;
    uint32_t first, capacity, count;
    uint32_t record_bytes;
    char *data; // count * record_bytes bytes
};

struct trace_reader {
    char *path;
    struct trace_header header; // a copy; its texts are NUL-terminated
    enum reader_state state;
    pid_t pid;       // as seen from here; 0 if it does not run
    uint64_t end_ns; // CLOCK_MONOTONIC: the moment that live sessions are judged at:
                     // now if the process runs, else its end or the last record
    bool end_known;  // false: it went on for an unknown time after end_ns
    uid_t owner; // whose words these are: the owner of the file, or if that is root, who asks as
                 // well, the user that the header names
    char **problems;
    size_t problem_count;

    // Private.
    int fd;
    uint64_t file_bytes; // readable bytes of the file
    uint64_t data_bytes; // of these, without holes
    uint64_t loaded_bytes;
    uint64_t walked; // chunks below this offset are known
    bool complained; // the cut end was reported
    struct reader_space {
        struct reader_chunk *chunks;
        size_t count;
    } space[TRACE_CHUNK_TYPES];
};

// Opens the trace `path`.
// pid: the process that it belongs to, if the caller knows (a process in another pid namespace has
//      another number there than in its trace); 0: the one in the header.
// reader: on return always a reader to be closed, except on -ENOMEM; with an error it holds no
//      records, and `problems` says why.
// Result: 0, or -errno: -EBADMSG if it is not a trace, -EPROTO if it is of another version or byte
// order, -EISDIR, -ENOENT ... as from open(2).
int reader_open(const char *path, pid_t pid, struct trace_reader **reader);

// The same for a descriptor, which the reader closes; `path` is for messages.
int reader_open_fd(int fd, const char *path, pid_t pid, struct trace_reader **reader);

void reader_close(struct trace_reader *reader); // NULL is fine

// The record behind a reference of a record type (not STRINGS, STACKS, EXHAUSTIONS); NULL if there
// is none. Valid until reader_close.
const void *reader_record(const struct trace_reader *reader, enum trace_chunk_type type,
                          uint32_t ref);

// The reference that follows `ref` (TRACE_NONE: the first one) in a record type or
// TRACE_EXHAUSTIONS; TRACE_NONE after the last.
uint32_t reader_next(const struct trace_reader *reader, enum trace_chunk_type type, uint32_t ref);

// The text behind a reference; "" for TRACE_NONE.
const char *reader_string(const struct trace_reader *reader, uint32_t ref);

const struct trace_stack *reader_stack(const struct trace_reader *reader, uint32_t ref);
const struct trace_exhaustion *reader_exhaustion(const struct trace_reader *reader, uint32_t ref);

// Whether the session `ref`, live when it was read, still is: the trace of a running process is
// looked at again. False if it cannot be.
bool reader_session_lives(const struct trace_reader *reader, uint32_t ref);

#define READER_RECORD(name, TYPE)                                                                  \
    static inline const struct trace_##name *reader_##name(const struct trace_reader *reader,      \
                                                           uint32_t ref)                           \
    {                                                                                              \
        return reader_record(reader, TYPE, ref);                                                   \
    }
READER_RECORD(module, TRACE_MODULES)
READER_RECORD(location, TRACE_LOCATIONS)
READER_RECORD(function, TRACE_FUNCTIONS)
READER_RECORD(pool, TRACE_POOLS)
READER_RECORD(site, TRACE_SITES)
READER_RECORD(session, TRACE_SESSIONS)
READER_RECORD(misuse, TRACE_MISUSES)
READER_RECORD(history, TRACE_HISTORIES)
#undef READER_RECORD

// The module that was mapped at `address` when a stack was first seen at `seen_ns`: addresses are
// used again after a plugin is unloaded. NULL if none was known there.
const struct trace_module *reader_module_at(const struct trace_reader *reader, uint64_t address,
                                            uint64_t seen_ns);

#endif
