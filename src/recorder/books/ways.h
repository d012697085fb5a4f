// The way of a session from its acquire: where one of a site was used first, and from where a
// sample of them came back. Reports tell by it which functions hand on what they acquire.
//
// Knows stacks and the trace; nothing of the session table. Called between recorder_enter and
// recorder_leave, with no lock held, on the thread that uses or releases. Thread-safe.
#ifndef UNCLOSED_RECORDER_BOOKS_WAYS_H
#define UNCLOSED_RECORDER_BOOKS_WAYS_H

#include <stdbool.h>
#include <stdint.h>

#include "trace/trace_format.h"

// Whether the stack of a release is looked at, `before` of which were seen at its site: the first
// ones, as most programs do the same all the time, and then so few that it costs next to nothing (1
// of 64 was 9 ns a session).
static inline bool way_wanted(uint64_t before)
{
    enum { FIRST = 16, ONE_OF = 512 };
    return before < FIRST || before % ONE_OF == 0;
}

// A session of `site` is being released here by the code.
void way_note_release(struct trace_site *site, uint64_t now_ns);

// The session that this thread acquired last and has not used yet, of a site of which no use has
// been seen; handle 0: none.
struct way_fresh {
    uint64_t handle;
    uint32_t site, generation;
};
extern __thread struct way_fresh way_fresh __attribute__((tls_model("initial-exec")));

// `handle` was acquired on this thread, at `site` (reference) with this record.
static inline void way_acquired(const struct trace_site *record, uint32_t site, uint64_t handle,
                                uint32_t generation)
{
    way_fresh = record->used == TRACE_NONE && record->created == TRACE_NONE
                    ? (struct way_fresh){handle, site, generation}
                    : (struct way_fresh){0};
}

// Whether somebody waits to see `handle` used.
static inline bool way_is_fresh(uint64_t handle)
{
    return __builtin_expect(handle == way_fresh.handle, 0) && handle != 0;
}

// That handle is being used here, or (use false) released without that.
void way_note_use(bool use, uint64_t now_ns);

#endif
