// Whether the thread that acquired a session is gone: it will not come back to what it holds.
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "report/profile/build.h"

bool profile_thread_has_ended(const struct trace_reader *trace, const struct trace_session *record)
{
    char path[64];
    if (record->flags & TRACE_SESSION_THREAD_ENDED)
        return true;
    // Of a process in another pid namespace the numbers are not ours.
    if (trace->state != READER_RUNNING || record->tid == 0 ||
        trace->pid != (pid_t)trace->header.pid)
        return false;
    (void)snprintf(path, sizeof path, "/proc/%d/task/%u", (int)trace->pid, record->tid);
    return access(path, F_OK) != 0 && errno == ENOENT;
}
