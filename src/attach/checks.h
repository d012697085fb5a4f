// Refusals: what can be known about a process before anything is done to it.
#ifndef UNCLOSED_ATTACH_CHECKS_H
#define UNCLOSED_ATTACH_CHECKS_H

#include <sys/types.h>

#include "attach/failure.h"
#include "attach/target.h"

// Whether there is such a process and it can be attached to, as far as /proc and its executable
// tell. Result: 0, or -errno with *failure filled in.
int checks_process(pid_t pid, struct failure *failure);

// Opens the target and loads its modules; refuses C libraries other than glibc. Result: 0, or
// -errno with *failure filled in and the target closed.
int checks_open(struct target *target, pid_t pid, struct failure *failure);

// Why a process may not be looked into, and what helps, after `error` (EPERM, EACCES). Result:
// -EPERM with *failure filled in.
int checks_explain_denial(pid_t pid, int error, struct failure *failure);

#endif
