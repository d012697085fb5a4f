// The recorder's life: when it is active, entering and leaving it, the trace it writes to.
//
// The recorder never exits, prints (except the asked-for dump), changes errno or lets a failure of
// its own reach the program. What it cannot record it counts (recorder_lost).
#ifndef UNCLOSED_RECORDER_H
#define UNCLOSED_RECORDER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "recorder/session.h"
#include "trace/trace_writer.h"

// The trace of this process; `trace.header` is NULL until the first session (or event worth a
// file).
extern struct trace_writer recorder_trace;

// true while calls are to be recorded (false: inert, detached, not followed).
extern atomic_bool recorder_active;

// Enters the recorder on this thread. false: do nothing and do not leave (inert, or this thread is
// inside already, because a signal interrupted it: then a lost record is counted). Saves errno,
// notices a fork (the state of the parent is then put aside), creates nothing.
bool recorder_enter(void);
void recorder_leave(void);

// Makes sure that there is a trace file; false: there is none and cannot be (counted).
bool recorder_open_trace(void);

void recorder_lost(enum trace_lost reason);

uint64_t recorder_now(void); // CLOCK_MONOTONIC, ns

// The thread inside the recorder: its kernel id and its name (string reference).
uint32_t recorder_tid(void);
uint32_t recorder_thread_name(void);

// Fills in the native stack of this thread, innermost first, without the recorder's own frames.
void stack_capture(struct stack *stack);

// A language runtime may put its frames (TRACE_FRAME_LOCATION) in front of the native ones: called
// by stack_capture with the stack still empty, on the thread that acquires, with no lock held.
// NULL: no runtime.
extern void (*recorder_language_frames)(struct stack *stack);

#endif
