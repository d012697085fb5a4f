// Sessions that were under way when their trace ended or was read: in the hands of code that would
// have closed them in a moment, as it did all the others. They get no verdict.
#include "report/profile/build.h"
#include "trace/trace_ends.h"

// How long sessions of a site usually are held: as long as the longest that the code released;
// where others were reclaimed as well, which may be those, the end of the bucket of nine out of
// ten. 0: not known, for there were few, or the code closes too few of them to be believed.
static uint64_t usual_hold(const struct trace_site *record)
{
    enum { LEAST = 4, ONE_IN = 10 };
    uint64_t ended = 0, before = 0;
    for (int end = 0; end < TRACE_ENDS; end++)
        ended += record->ended[end];
    const uint64_t others = ended - trace_count_released(record->ended);
    if (ended < LEAST || others > ended / ONE_IN)
        return 0;
    if (others == 0)
        return record->longest_ns;
    for (int bucket = 0; bucket < TRACE_HOLD_BUCKETS; bucket++) {
        before += record->hold[bucket];
        if (before >= ended - ended / ONE_IN)
            return UINT64_C(1000) << bucket;
    }
    return 0;
}

bool profile_is_under_way(const struct trace_site *record, const struct profile_session *session)
{
    const uint32_t stuck = TRACE_SESSION_ZOMBIE | TRACE_SESSION_REFUSED | TRACE_SESSION_EXCEPTION |
                           TRACE_SESSION_THREAD_ENDED;
    // A process ends by itself in its first thread, as a rule, which had nothing under way then.
    const bool left =
        session->process->state == READER_EXITED && session->tid == session->process->header->pid;
    return !left && !(session->flags & stuck) && session->age_ns < usual_hold(record);
}
