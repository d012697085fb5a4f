// The recorder's life: when it is active, entering and leaving it, the trace it writes to.
//
// The recorder never exits, prints (except the asked-for dump), changes errno or lets a failure of
// its own reach the program. What it cannot record it counts (recorder_lost).
#ifndef UNCLOSED_RECORDER_CORE_RECORDER_H
#define UNCLOSED_RECORDER_CORE_RECORDER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "recorder/books/session.h"
#include "shared/options.h"
#include "shared/spec.h"
#include "trace/trace_writer.h"

extern struct options recorder_options;

// Changes whenever references into the trace stop being valid: after a fork, and after a detach and
// a new attach. Never 0.
extern atomic_uint recorder_generation;

// Changes with each detach only. A call that began in another recording is none of this one's: what
// it remembers is gone.
extern atomic_uint recorder_recording;

// What the recorder keeps of a thread.
struct recorder_thread {
    bool inside;               // between recorder_enter and recorder_leave
    struct presence *presence; // the same for others to see
    int saved_errno;
    uint32_t generation; // for which the rest holds
    uint32_t tid;
    uint32_t name; // string reference
    uint32_t name_uses;
    uint32_t acquires;      // recorded by this thread
    uint32_t acquired_kind; // of the last one: string reference
    uint32_t owner;         // see session_thread_owner
    bool opening;           // is opening the trace
};
extern __thread struct recorder_thread recorder_thread;

// The trace of this process; `trace.header` is NULL until the first session (or event worth a
// file).
extern struct trace_writer recorder_trace;

// true while calls are to be recorded (false: inert, detached, not followed).
extern atomic_bool recorder_active;

void recorder_set_active(bool active);

// Enters the recorder on this thread. false: do nothing and do not leave (inert, or this thread is
// inside already, because a signal interrupted it: then a lost record is counted). Saves errno,
// notices a fork (the state of the parent is then put aside), creates nothing.
bool recorder_enter(void);
void recorder_leave(void);

// Makes sure that there is a trace file; false: there is none and cannot be (counted).
bool recorder_open_trace(void);
int recorder_open_error(void); // why: -errno

// Nothing of this process is in the trace that is written next, after a fork or a detach: drops
// what points into the last one, but for sessions. give_back: as in intern_reset.
void recorder_forget_tables(bool give_back);

// The trace, if there is one, is complete: the next one to be opened is another. To be called while
// inactive; waits for the threads that are inside.
void recorder_forget_trace(void);

// Keeps traces from being opened, around fork.
void recorder_lock_opening(void);
void recorder_unlock_opening(void);

void recorder_lost(enum trace_lost reason);

// When the recorder began in this process: at its start, its fork, or the attach.
extern uint64_t recorder_start_ns;

uint64_t recorder_now(void);        // CLOCK_MONOTONIC, ns
uint64_t recorder_now_coarse(void); // the same, cheaper, up to a kernel tick behind

// Fork detection, for process.c: makes the page that tells; marks this process as newly forked;
// whether it is and has not been noticed yet (then the trace must not be touched).
bool recorder_watch_forks(void);
void recorder_mark_forked(void);
bool recorder_is_forked(void);
bool recorder_is_child(void); // has been noticed: this process began as a fork of a traced one

// The thread inside the recorder: its kernel id and its name (string reference).
uint32_t recorder_tid(void);
uint32_t recorder_thread_name(void);

// Fills in the native stack of this thread, innermost first, without the recorder's own frames.
void stack_capture(struct stack *stack);

// The test that runs in this process: goes with every session acquired from now on. NULL or "":
// none. The text is copied.
void recorder_set_test(const char *name);
uint32_t recorder_test(void); // its string reference

// Handles that this thread opens from now on belong to this pool; TRACE_NONE: to none.
// Result: what held before.
uint32_t session_thread_owner(uint32_t pool);

// All call specs of this process; they do not change once it has begun.
const struct spec *recorder_specs(int *count);

// A language runtime may put its frames (TRACE_FRAME_LOCATION) in front of the native ones: called
// by stack_capture with the stack still empty, on the thread that acquires, with no lock held.
// NULL: no runtime.
extern void (*recorder_language_frames)(struct stack *stack);

#endif
