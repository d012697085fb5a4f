// The program's own sigaction, signal and pthread_setcanceltype, as far as they concern SIGBUS
// (core/fault.h) or ways to leave the recorder for good (core/shield.h).
#ifndef UNCLOSED_RECORDER_HOOKS_SIGNAL_HOOKS_H
#define UNCLOSED_RECORDER_HOOKS_SIGNAL_HOOKS_H

#include "recorder/hooks/hook.h"

// Of a call of FUNCTION_SIGACTION, FUNCTION_SIGNAL or FUNCTION_CANCEL_TYPE. They may be called in a
// signal handler that has interrupted the recorder. hook_before returns what the first one does.
unsigned signal_hooks_before(const struct call *call);
void signal_hooks_after(struct call *call);

// Looks at the handlers that were set before anything was hooked.
void signal_hooks_look_at_all(void);

#endif
