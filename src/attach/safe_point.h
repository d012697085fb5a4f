// Choosing a thread of the target and a moment at which it can be borrowed.
//
// What the borrowed thread does is harmless at any moment: system calls only. What may harm is the
// thread that is made meanwhile: it calls malloc and the dynamic linker. In a program that glibc
// knows to have several threads both are guarded by locks, and any moment will do. In one with a
// single thread glibc skips the locks, so the thread must not be inside them when it is stopped.
#ifndef UNCLOSED_ATTACH_SAFE_POINT_H
#define UNCLOSED_ATTACH_SAFE_POINT_H

#include <stdbool.h>

#include "attach/failure.h"
#include "attach/target.h"
#include "attach/tracee.h"

// Stops and borrows a thread. tracee->target and tracee->gadgets are given, the modules of the
// target loaded. *single: the program had a single thread as far as glibc knows.
// Result: 0 with the thread borrowed, or -errno with *failure filled in and no thread stopped.
// Threads that could not be stopped (in an uninterruptible sleep) stay traced: the calling process
// has to end soon, which lets them go.
int safe_point_borrow(struct tracee *tracee, bool *single, struct failure *failure);

#endif
