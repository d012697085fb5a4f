// The program's own sigaction and the like: see signal_hooks.h. Knows who has SIGBUS, which
// handlers may jump and whether any has a stack of its own, not what for.
#include "recorder/hooks/signal_hooks.h"

#include <pthread.h>
#include <signal.h>

#include "recorder/core/fault.h"
#include "recorder/core/own_stack.h"
#include "recorder/core/recorder.h"
#include "recorder/hooks/functions.h"
#include "recorder/stacks/modules.h"

// The function that is to handle a signal from now on; 0: none.
static uint64_t handler_of(const struct call *call)
{
    const uint64_t given = call->argument[1];
    uint64_t handler = given;
    if (call->hook->function->special == FUNCTION_SIGACTION && given != 0) {
        const struct sigaction *action = (const struct sigaction *)given; // NOLINT
        handler = (uint64_t)(uintptr_t)action->sa_handler;
    }
    return handler > (uint64_t)(uintptr_t)SIG_IGN ? handler : 0;
}

static void look_at_flags(int flags)
{
    if (flags & SA_ONSTACK)
        atomic_store(&own_stack_has_signal_stacks, true);
}

// A handler that may not come back: from now on it does not run while a thread is in the recorder.
static void look_at_handler(uint64_t handler)
{
    struct module module;
    if (handler == 0 || atomic_load(&shield_needed) & SHIELD_SIGNALS || !recorder_enter())
        return;
    if (module_find(handler, &module) && module.jumps)
        atomic_fetch_or(&shield_needed, SHIELD_SIGNALS);
    recorder_leave();
}

unsigned signal_hooks_before(const struct call *call)
{
    if (call->hook->function->special == FUNCTION_CANCEL_TYPE) {
        if ((int)call->argument[0] == PTHREAD_CANCEL_ASYNCHRONOUS)
            atomic_fetch_or(&shield_needed, SHIELD_CANCEL);
        return HOOK_TAIL;
    }
    if (call->hook->function->special == FUNCTION_SIGACTION && call->argument[1] != 0)
        look_at_flags(((const struct sigaction *)call->argument[1])->sa_flags); // NOLINT
    look_at_handler(handler_of(call));
    return (int)call->argument[0] == SIGBUS ? HOOK_THROUGH : HOOK_TAIL;
}

void signal_hooks_look_at_all(void)
{
    for (int number = 1; number < NSIG; number++) {
        struct sigaction action;
        if (sigaction(number, NULL, &action) == 0 && action.sa_handler != SIG_DFL &&
            action.sa_handler != SIG_IGN) {
            look_at_flags(action.sa_flags);
            look_at_handler((uint64_t)(uintptr_t)action.sa_handler);
        }
    }
}

__attribute__((noinline)) // its frame would be one of all calls
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
