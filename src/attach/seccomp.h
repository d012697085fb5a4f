// Foretelling what a thread's seccomp filters will do to the system calls of an attach.
//
// A filter that kills would kill the target at the first call it does not expect, so it is asked
// beforehand: the kernel hands out the filter programs, and they are run here.
#ifndef UNCLOSED_ATTACH_SECCOMP_H
#define UNCLOSED_ATTACH_SECCOMP_H

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "attach/failure.h"

// Runs one filter program on `data`. Result: what it returns (SECCOMP_RET_*),
// SECCOMP_RET_KILL_PROCESS for a program that is not valid.
uint32_t seccomp_run(const struct sock_filter *program, size_t length,
                     const struct seccomp_data *data);

// Checks a thread in a ptrace stop. Result: 0 if all calls that an attach makes are let through, or
// -errno with *failure filled in.
int seccomp_check(pid_t pid, pid_t tid, struct failure *failure);

#endif
