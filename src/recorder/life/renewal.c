// A new trace in the place of a damaged one: see renewal.h.
//
// What was in the file is lost, with all that points into it; so it is as if the recorder had been
// detached and attached again. What is out is not known any more: its release is none of an unknown
// handle.
#include "recorder/life/renewal.h"

#include <errno.h>
#include <string.h>

#include "recorder/core/confined.h"
#include "recorder/core/fault.h"
#include "recorder/core/log.h"
#include "recorder/core/presence.h"
#include "recorder/core/recorder.h"
#include "recorder/life/opening.h"

enum { MOST_RENEWALS = 8 };

static void say(const char *path, uint64_t sessions, bool again)
{
    struct log log;
    log_open(&log);
    log_text(&log, "unclosed: somebody has shortened, overwritten or removed the trace ");
    log_text(&log, path);
    log_text(&log, " while it was written: the record of ");
    log_number(&log, sessions);
    log_text(&log, sessions == 1 ? " session" : " sessions");
    if (again && recorder_trace.path[0]) {
        log_text(&log, " is lost; what comes is recorded in ");
        log_text(&log, recorder_trace.path);
    } else {
        log_text(&log, " is lost, and nothing is recorded any more");
    }
    log_text(&log, "\n");
    log_close(&log);
}

// How many sessions are in no trace. A session is missed twice, at its acquire and its release.
static uint64_t count_lost(void)
{
    uint64_t lost = presence_acquires() + (recorder_missed() + 1) / 2;
    presence_forget_acquires();
    return lost;
}

// Inactive, nobody inside.
static bool begin_another(void)
{
    static unsigned renewals;
    if (++renewals > MOST_RENEWALS)
        return false;
    recorder_attached = recorder_renewed = true;
    recorder_start_ns = recorder_now();
    return recorder_open_trace();
}

void renewal_begin(void)
{
    static char path[TRACE_PATH_BYTES]; // one thread at a time gets here
    if (is_confined() || !recorder_take_damage())
        return;
    int kept = errno;
    strcpy(path, recorder_trace.path);
    opening_forget();
    bool again = begin_another();
    uint64_t lost = count_lost();
    if (again)
        recorder_trace.header->lost[TRACE_LOST_FILE] += lost;
    recorder_renewal_over(again);
    say(path, lost, again);
    errno = kept;
}

void renewal_check(void)
{
    if (is_confined() || (!recorder_is_damaged() && trace_is_intact(&recorder_trace)))
        return;
    recorder_damage();
    renewal_begin();
}
