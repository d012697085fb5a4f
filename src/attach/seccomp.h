// Foretelling what a thread's seccomp filters will do to the system calls of an attach.
//
// A filter that kills would kill the target at the first call it does not expect, so it is asked
// beforehand: the kernel hands out the filter programs, and they are run here.
#ifndef UNCLOSED_ATTACH_SECCOMP_H
#define UNCLOSED_ATTACH_SECCOMP_H

#include <sys/types.h>

#include "attach/failure.h"

// Checks a thread in a ptrace stop. Result: 0 if all calls that an attach makes are let through, or
// -errno with *failure filled in.
int seccomp_check(pid_t pid, pid_t tid, struct failure *failure);

#endif
