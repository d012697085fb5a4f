// Appending to a trace file from inside the traced process.
//
// Knows the file format and nothing of hooks, sessions or reports. Uses no malloc, no stdio, no
// cancellation point and keeps no descriptor open: the file is opened, grown, mapped and closed
// again each time a chunk is added. Blocks are reserved before they are mapped, so that a full disk
// is an error here and never a SIGBUS in the traced program.
//
// Thread safety: all functions may be called from several threads at once, except trace_create and
// trace_forget. Signal safety: none of them may be called from a signal handler.
#ifndef UNCLOSED_TRACE_TRACE_WRITER_H
#define UNCLOSED_TRACE_TRACE_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trace/lock.h"
#include "trace_format.h"

enum {
    TRACE_WRITER_CHUNKS = 40,
    TRACE_PATH_BYTES = 4096,
    TRACE_STRING_MOST =
        4096, // bytes kept of a text: the longest path, and more than a report shows
};

struct trace_writer {
    struct trace_header *header; // NULL: no trace
    struct lock lock;            // guards growing and appending
    int fd;                      // that had to be kept open, see trace_create_open; else -1
    uint64_t device, inode;      // of the file, to recognize it when it is opened again
    uint64_t file_bytes;         // all that was made of it
    bool sealed;                 // does not grow any more
    uint64_t retry_ns;           // it could not grow: not tried again before
    void (*on_damage)(void);     // called when the file turns out to be damaged; NULL: not needed
                                 // to know
    // What the file says of itself is for readers; anybody may have written over it, and what
    // the writer goes by is here.
    struct trace_space {
        struct trace_chunk *chunk[TRACE_WRITER_CHUNKS];
        uint32_t bytes[TRACE_WRITER_CHUNKS];    // as chunk->bytes,
        uint32_t first[TRACE_WRITER_CHUNKS];    // chunk->first,
        uint32_t capacity[TRACE_WRITER_CHUNKS]; // chunk->capacity
        uint32_t count[TRACE_WRITER_CHUNKS];    // and chunk->count
        uint32_t chunks;
    } space[TRACE_CHUNK_TYPES];
    // A part that is mapped but not yet among the above.
    const void *fresh;
    uint64_t fresh_bytes;
    char path[TRACE_PATH_BYTES];
};

// Creates the trace `path` (never overwrites, never follows a symbolic link) and fills in what the
// format fixes: magic, version, byte order. The caller fills in the rest of `writer->header`.
// path NULL: the trace is kept in this process's memory only.
// Returns 0 or -errno; -EEXIST if there is such a file. On error `writer` holds no trace.
int trace_create(struct trace_writer *writer, const char *path);

// The same in a file that is open already, as `fd`, empty and writable; for a process that cannot
// open it by name. path: its name elsewhere, for messages. The writer owns `fd` until trace_retire
// and uses it only as long as it still is that file. On error `fd` is closed.
int trace_create_open(struct trace_writer *writer, int fd, const char *path);

// The trace is complete: lets go of the file. alone: no thread is writing, nor has an address in
// it; else threads that are find memory of this process in its place, for good. After this `writer`
// holds no trace; its path stays.
void trace_retire(struct trace_writer *writer, bool alone);

// Unmaps the trace without changing the file; for a forked child that must not write to it.
void trace_forget(struct trace_writer *writer);

// Reserves a new zeroed record of `type` (a record type, not a space).
// Result: its reference, and its address in *record; TRACE_NONE with *record NULL if there is no
// room (header->lost[TRACE_LOST_SPACE] is advanced). The address stays valid until trace_forget.
uint32_t trace_new_record(struct trace_writer *writer, enum trace_chunk_type type, void *record);

// Address of a record that trace_new_record returned, or NULL for TRACE_NONE or what never was one:
// references may come from the file.
void *trace_record(const struct trace_writer *writer, enum trace_chunk_type type, uint32_t ref);

// How much of a text is kept: `bytes`, or at most TRACE_STRING_MOST, without half a UTF-8 character
// at the end. Who looks a text up in a table of those appended compares so much of it.
size_t trace_string_kept(const char *text, size_t bytes);

// Appends trace_string_kept of a text of `bytes` bytes. Result: its reference or TRACE_NONE if
// there is no room. The text is not interned here.
uint32_t trace_append_string(struct trace_writer *writer, const char *text, size_t bytes);

// The text behind a string reference, NUL-terminated; "" for TRACE_NONE.
const char *trace_string(const struct trace_writer *writer, uint32_t ref);

// Appends `words` 64-bit words to a space of words (TRACE_STACKS, TRACE_EXHAUSTIONS).
// Result: the reference of the first or TRACE_NONE.
uint32_t trace_append_words(struct trace_writer *writer, enum trace_chunk_type type,
                            const uint64_t *words, uint32_t count);

// Address of a word appended before, or NULL for TRACE_NONE or what never was one.
const uint64_t *trace_words(const struct trace_writer *writer, enum trace_chunk_type type,
                            uint32_t ref);

// The frames of a stack, innermost first: their number, and where they are in *frames. 0: there is
// no such stack. seen_ns: when it was first seen; may be NULL.
uint32_t trace_stack_frames(const struct trace_writer *writer, uint32_t ref,
                            const uint64_t **frames, uint64_t *seen_ns);

// Makes room for some thousand more sessions now, and makes no system call after that.
void trace_seal(struct trace_writer *writer);

// Calls `visit` for each record of a type that is complete by now.
void trace_each(const struct trace_writer *writer, enum trace_chunk_type type,
                void (*visit)(const void *record, uint32_t ref, void *data), void *data);

// Whether memory at this address is of the trace. For a handler of SIGBUS.
bool trace_covers(const struct trace_writer *writer, const void *address);

// The file was shortened: puts memory of this process in its place, at the same addresses, with
// what is left of the content and zeros elsewhere. For a handler of SIGBUS, on one thread at a
// time.
void trace_abandon(const struct trace_writer *writer);

// Whether the file is still there, under its name where it has one, as long as it was made, and
// begins as it did. true for one that is kept in memory only. Makes system calls.
bool trace_is_intact(const struct trace_writer *writer);

#endif
