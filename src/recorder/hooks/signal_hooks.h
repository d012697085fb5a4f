// The program's own sigaction and signal, as far as they concern SIGBUS: see core/fault.h.
#ifndef UNCLOSED_RECORDER_HOOKS_SIGNAL_HOOKS_H
#define UNCLOSED_RECORDER_HOOKS_SIGNAL_HOOKS_H

#include "recorder/hooks/hook.h"

// Of a call of FUNCTION_SIGACTION or FUNCTION_SIGNAL. They may be called in a signal handler, and
// neither enters the recorder. hook_before returns what the first one does.
unsigned signal_hooks_before(const struct call *call);
void signal_hooks_after(struct call *call);

#endif
