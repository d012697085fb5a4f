// The recorder's life: when it is active, entering and leaving it, the trace it writes to.
//
// The recorder never exits, prints (except the asked-for dump), changes errno or lets a failure of
// its own reach the program. What it cannot record it counts (recorder_lost).
#ifndef UNCLOSED_RECORDER_CORE_RECORDER_H
#define UNCLOSED_RECORDER_CORE_RECORDER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "recorder/core/presence.h"
#include "recorder/core/shield.h"
#include "recorder/core/stack.h"
#include "shared/options.h"
#include "trace/trace_writer.h"

// What the room that knows all others does for those below it. There is one of these, and the
// linker tells where: it has to be there before any constructor has run, for a program's
// constructor may be the first to make a traced call. Each is called with no lock held.
struct recorder_life {
    void (*start)(void);         // see recorder_start
    bool (*open)(void);          // see recorder_open_trace
    void (*forked)(void);        // the first entry after a fork: puts aside what is the parent's
    void (*exiting)(int status); // the process calls _exit with this status: no handler will run
    void (*renew)(void);         // the trace is damaged: begins another one, see recorder_damage
};
#define RECORDER_LIFE __attribute__((section("recorder_life"), used))
extern const struct recorder_life recorder_life[] __asm__("__start_recorder_life")
    __attribute__((visibility("hidden")));

extern struct options recorder_options;

// Changes whenever references into the trace stop being valid: after a fork, and after a detach and
// a new attach. Never 0.
extern atomic_uint recorder_generation;

// Changes with each detach only. A call that began in an earlier recording is not recorded
// in this one: what it remembers is gone.
extern atomic_uint recorder_recording;

// What the recorder keeps of a thread.
struct recorder_thread {
    bool inside;               // between recorder_enter and recorder_leave
    struct presence *presence; // the same for others to see
    int saved_errno;
    struct shield shield;
    uint32_t generation; // for which the rest holds
    uint32_t tid;
    uint32_t name; // string reference
    uint32_t name_uses;
    uint32_t acquires;      // recorded by this thread
    uint32_t acquired_kind; // of the last one: string reference
    uint32_t acquired_slot; // ... and its session, TRACE_SESSIONS
    struct thread_owner {
        uint32_t pool; // TRACE_POOLS reference: handles that this thread opens are its
        bool inside;   // they are the inside of a handle of another kind, which counts for both
    } owner;           // see session_thread_owner
};
extern __thread struct recorder_thread recorder_thread;

// The trace of this process; `trace.header` is NULL until the first session (or event worth a
// file).
extern struct trace_writer recorder_trace;

// true while calls are to be recorded (false: inert, detached, not followed).
extern atomic_bool recorder_active;

void recorder_set_active(bool active);

// true after unclosed_attach: what is released without having been seen may be older than we are.
extern bool recorder_attached;

// true once a trace of this process was lost, and another one begun.
extern bool recorder_renewed;

// Somebody has damaged the trace: records nothing until it is renewed, by the next thread that
// would enter. Async-signal-safe; locks may be held.
void recorder_damage(void);
bool recorder_is_damaged(void);
bool recorder_take_damage(void);         // true for one caller, who renews it,
void recorder_renewal_over(bool active); // and says when it has, and what is to be now
uint64_t recorder_missed(void);          // calls that were not recorded since then; begins anew

// Starts the recorder, if this process is to be traced and that was not done yet.
void recorder_start(void);

// Enters the recorder on this thread. false: do nothing and do not leave (inert, or this thread is
// inside already, because a signal interrupted it: then a lost record is counted). Saves errno,
// notices a fork (the state of the parent is then put aside), creates nothing.
bool recorder_enter(void);
void recorder_leave(void);

// Counts an acquire that this thread has recorded.
static inline void recorder_count_acquire(void)
{
    recorder_thread.acquires++;
    if (recorder_thread.presence) // its own store; others only read
        __atomic_store_n(&recorder_thread.presence->acquires,
                         recorder_thread.presence->acquires + 1, __ATOMIC_RELAXED);
}

// Makes sure that there is a trace file; false: there is none and cannot be. Only at the edge,
// where a call or an event of the program comes in, and with no lock held.
bool recorder_open_trace(void);

// Both: enters, and leaves again where there can be no trace.
bool recorder_enter_trace(void);

// For who opens it: the trace is complete enough for everybody to use, or it is not any more.
void recorder_set_opened(bool opened);
bool recorder_is_opened(void);

void recorder_lost(enum trace_lost reason);

// When the recorder began in this process: at its start, its fork, or the attach.
extern uint64_t recorder_start_ns;

uint64_t recorder_now(void);        // CLOCK_MONOTONIC, ns
uint64_t recorder_now_coarse(void); // the same, cheaper, up to a kernel tick behind

// Fork detection, for life/process.c: makes the page that tells; marks this process as newly
// forked; whether it is and has not been noticed yet (then the trace must not be touched).
bool recorder_watch_forks(void);
void recorder_mark_forked(void);
bool recorder_is_forked(void);
bool recorder_is_child(void); // has been noticed: this process began as a fork of a traced one

// The kernel's id of the thread inside the recorder.
uint32_t recorder_tid(void);

// What handles that this thread opens from now on belong to. Result: what held before.
struct thread_owner session_thread_owner(struct thread_owner now);

// A language runtime may put its frames (TRACE_FRAME_LOCATION) in front of the native ones: called
// by stack_capture with the stack still empty, on the thread that acquires, with no lock held.
// origin: where that begins; NULL: not known. NULL: no runtime.
struct stack_origin;
extern void (*recorder_language_frames)(struct stack *stack, const struct stack_origin *origin);

#endif
