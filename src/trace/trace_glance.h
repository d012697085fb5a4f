// A light look at the trace of a process that may be running: its sessions and a few counters of
// its sites, and nothing that they refer to. Taken again and again, from outside the process.
//
// Knows the file format. Trusts nothing in the file: what cannot be right is left out. Not
// thread-safe.
#ifndef UNCLOSED_TRACE_TRACE_GLANCE_H
#define UNCLOSED_TRACE_TRACE_GLANCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trace/trace_format.h"

struct glance_chunk {
    uint64_t offset; // of its records in the file
    uint32_t first, capacity;
};

struct glance_site { // nothing of sites that no report lists
    uint64_t late, reclaimed;
};

struct trace_glance {
    struct trace_header header;     // as of the last look
    struct trace_session *sessions; // by reference - 1
    uint32_t session_count;
    struct glance_site *sites; // by reference - 1
    uint32_t site_count;

    // Private.
    int fd;
    uint64_t walked; // chunks below this offset are known
    struct glance_space {
        struct glance_chunk *chunks;
        size_t count;
    } session_chunks, site_chunks;
};

// Opens the trace `path` for looking at it, and for telling its process so. Result: 0, or -errno:
// -EBADMSG if it is no trace that this version can read.
int glance_open(struct trace_glance *glance, const char *path);
void glance_close(struct trace_glance *glance);

// Looks: fills in the header, the sessions and then the sites. A session that is just being ended
// or begun may be torn; see glance_is_still. Result: 0, or -errno.
int glance_take(struct trace_glance *glance);

// Whether the session behind a reference is still as it was seen.
bool glance_is_still(const struct trace_glance *glance, uint32_t ref);

// Tells the process that somebody looked at `now_ns`, CLOCK_MONOTONIC.
void glance_tell(const struct trace_glance *glance, uint64_t now_ns);

#endif
