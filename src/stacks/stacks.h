// Where threads of a live process are now: native and Python frames.
//
// The only part that stops anything, and only the threads that are asked for, one after the other.
// Works on processes of other namespaces. Not thread-safe.
#ifndef UNCLOSED_STACKS_STACKS_H
#define UNCLOSED_STACKS_STACKS_H

#include "report/code/now.h"

// See now_look.
const char *stacks_look(struct arena *arena, struct now_process *process);

#endif
