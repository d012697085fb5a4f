// Sessions held longer than --threshold: a line on the log when that is noticed, and one when they
// come back.
//
// The recorder has no thread, timer or signal of its own in somebody else's process, so it looks
// whenever a traced call comes by, in any thread: one comparison with the moment at which the next
// session may have been out for too long. A tool that looks from outside (`unclosed run`, or
// `unclosed attach` in the foreground) sees it at that very moment and names the site better: as
// long as it looks (trace_header.watched_ns), nothing is written here.
//
// Called between recorder_enter and recorder_leave, with no lock held. Thread-safe. A line that
// cannot be written at once, without waiting and without a signal, is counted and told later.
#ifndef UNCLOSED_RECORDER_BOOKS_OVERDUE_H
#define UNCLOSED_RECORDER_BOOKS_OVERDUE_H

#include <stdatomic.h>
#include <stdint.h>

#include "recorder/core/recorder.h"
#include "trace/trace_format.h"

// When to look next, CLOCK_MONOTONIC; UINT64_MAX: nothing is out, or there is no --threshold.
extern _Atomic uint64_t overdue_due_ns;

// Only for overdue_check.
void overdue_look(uint64_t now_ns);

static inline void overdue_check(uint64_t now_ns)
{
    uint64_t due = atomic_load_explicit(&overdue_due_ns, memory_order_relaxed);
    if (__builtin_expect(now_ns >= due, 0))
        overdue_look(now_ns);
}

// Only for overdue_expect.
void overdue_look_by(uint64_t due_ns);

// A session is out since now_ns.
static inline void overdue_expect(uint64_t now_ns)
{
    uint64_t threshold = recorder_options.threshold_ns;
    if (threshold > 0 &&
        now_ns + threshold < atomic_load_explicit(&overdue_due_ns, memory_order_relaxed))
        overdue_look_by(now_ns + threshold);
}

// A session of `site` (`site_ref`) has ended after more than the threshold; its slot is still its
// own.
void overdue_ended(const struct trace_session *session, const struct trace_site *site,
                   uint32_t site_ref, enum trace_end end, uint64_t now_ns);

// The trace of this process has just been opened; it is about to be completed.
void overdue_begin(void);
void overdue_finish(void);

#endif
