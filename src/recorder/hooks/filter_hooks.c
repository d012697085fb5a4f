// The program's own prctl, seccomp and syscall: see filter_hooks.h. seccomp(2), prctl(2).
//
// A filter that is asked for with no program at its address is a question whether there are
// filters.
#include "recorder/hooks/filter_hooks.h"

#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "recorder/core/confined.h"
#include "recorder/core/recorder.h"
#include "recorder/hooks/functions.h"
#include "recorder/hooks/stubs.h"

static bool is_prctl_filter(const uint64_t argument[])
{
    return (int)argument[0] == PR_SET_SECCOMP &&
           (argument[1] == SECCOMP_MODE_STRICT || argument[2] != 0);
}

static bool is_seccomp_filter(const uint64_t argument[])
{
    unsigned operation = (unsigned)argument[0];
    return operation == SECCOMP_SET_MODE_STRICT ||
           (operation == SECCOMP_SET_MODE_FILTER && argument[2] != 0);
}

static bool adds_filter(const struct call *call)
{
    switch (call->hook->function->special) {
    case FUNCTION_PRCTL:
        return is_prctl_filter(call->argument);
    case FUNCTION_SECCOMP:
        return is_seccomp_filter(call->argument);
    default:
        return (call->argument[0] == SYS_prctl && is_prctl_filter(call->argument + 1)) ||
               (call->argument[0] == SYS_seccomp && is_seccomp_filter(call->argument + 1));
    }
}

void filter_hooks_before(const struct call *call)
{
    if (!adds_filter(call) || is_confined() || !recorder_enter())
        return;
    if (stubs_any_traced()) // it cannot be opened later
        (void)recorder_open_trace();
    confine(recorder_trace.header ? &recorder_trace : NULL);
    recorder_leave();
}
