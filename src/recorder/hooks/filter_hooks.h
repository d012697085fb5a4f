// The program's own prctl, seccomp and syscall, as far as they add a seccomp filter.
#ifndef UNCLOSED_RECORDER_HOOKS_FILTER_HOOKS_H
#define UNCLOSED_RECORDER_HOOKS_FILTER_HOOKS_H

#include "recorder/hooks/hook.h"

// Of a call of FUNCTION_PRCTL, FUNCTION_SECCOMP or FUNCTION_SYSCALL, which then is jumped to.
void filter_hooks_before(const struct call *call);

#endif
