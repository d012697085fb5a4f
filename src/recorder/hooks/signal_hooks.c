// The program's own sigaction and signal: see signal_hooks.h. Knows who has SIGBUS, not what for.
#include "recorder/hooks/signal_hooks.h"

#include <signal.h>

#include "recorder/core/fault.h"
#include "recorder/core/recorder.h"
#include "recorder/hooks/functions.h"

unsigned signal_hooks_before(const struct call *call)
{
    return (int)call->argument[0] == SIGBUS ? HOOK_THROUGH : HOOK_TAIL;
}

void signal_hooks_after(struct call *call)
{
    bool is_sigaction = call->hook->function->special == FUNCTION_SIGACTION;
    struct sigaction *old = (struct sigaction *)call->argument[2]; // NOLINT
    if (is_sigaction && (int)call->result[0] == 0 && old)
        fault_hide(old);
    if (!is_sigaction)
        fault_hide_handler(&call->result[0]);
    // It may have been set to its default.
    bool sets = !is_sigaction || call->argument[1] != 0;
    if (sets && recorder_is_opened())
        fault_take();
}
