// Sessions that were under way when their trace ended or was read: in the hands of code that would
// have closed them in a moment, as it did all the others. They get no verdict.
#include "report/profile/build.h"
#include "trace/trace_ends.h"

static const uint64_t MILLISECOND = 1000000, SECOND = 1000000000;

// How long sessions of a site can be held and still be usual. What is under way is more often a
// long one than a short one, and on a busy machine a moment is longer: so four times the longest
// that the code released, and where there were enough to tell, at least a tenth of a second. Where
// others were reclaimed as well, which may be the longest, the end of the bucket of nine out of ten
// counts. few_ns: the result where there were few; 0: the code closes too few of them to be
// believed.
static uint64_t usual_hold(const struct trace_site *record, uint64_t few_ns)
{
    enum { LEAST = 4, ENOUGH = 20, ONE_IN = 10 };
    uint64_t ended = 0, before = 0, longest_ns = 0;
    for (int end = 0; end < TRACE_ENDS; end++)
        ended += record->ended[end];
    const uint64_t others = trace_count_reclaimed(record->ended);
    if (others > ended / ONE_IN)
        return 0;
    if (ended < LEAST)
        return few_ns;
    if (others == 0)
        longest_ns = record->longest_ns;
    for (int bucket = 0; bucket < TRACE_HOLD_BUCKETS && longest_ns == 0; bucket++) {
        before += record->hold[bucket];
        if (before >= ended - ended / ONE_IN)
            longest_ns = UINT64_C(1000) << bucket;
    }
    if (longest_ns > UINT64_MAX / 4)
        return longest_ns;
    return ended >= ENOUGH && 4 * longest_ns < 100 * MILLISECOND ? 100 * MILLISECOND
                                                                 : 4 * longest_ns;
}

// A Python interpreter that ends stops all threads but its own, wherever they are, and some time
// before the process ends.
static bool stopped_threads(const struct profile_process *process)
{
    return process->state == READER_EXITED && process->header->flags & TRACE_FLAG_PYTHON;
}

// How long the program cannot have gone on before it was left, at most. A detach pauses it.
static uint64_t longest_pause(const struct profile_process *process)
{
    if (process->state == READER_DETACHED)
        return 300 * MILLISECOND;
    return stopped_threads(process) ? 3 * SECOND : 0;
}

// The age of a session without such a pause, in which nothing was recorded.
static uint64_t own_age(const struct profile_process *process,
                        const struct profile_session *session)
{
    const struct trace_header *header = process->header;
    const uint64_t longest_ns = longest_pause(process);
    uint64_t pause_ns = header->end_ns > header->last_ns ? header->end_ns - header->last_ns : 0;
    if (pause_ns > longest_ns) // the program was quiet by itself
        pause_ns = longest_ns;
    return session->age_ns > pause_ns ? session->age_ns - pause_ns : 0;
}

bool profile_is_under_way(const struct trace_site *record, const struct profile_session *session)
{
    const struct profile_process *process = session->process;
    uint32_t stuck =
        TRACE_SESSION_ZOMBIE | TRACE_SESSION_REFUSED | TRACE_SESSION_EXCEPTION | TRACE_SESSION_LOST;
    if (!stopped_threads(process))
        stuck |= TRACE_SESSION_THREAD_ENDED;
    // A process ends by itself in its first thread, as a rule, which had nothing under way then.
    const bool left = process->state == READER_EXITED && session->tid == process->header->pid;
    if (left || session->flags & stuck)
        return false;
    // A detach says nothing of the program: what it began in the last second it may well close.
    const uint64_t few_ns = process->state == READER_DETACHED ? SECOND : 0;
    return own_age(process, session) < usual_hold(record, few_ns);
}
