// One thread of the target under ptrace: stop it, have it make system calls, let it go on as if
// nothing had happened.
//
// At every moment from tracee_borrow on, the stopped thread is in a state from which it restores
// itself: if this process is killed, the kernel lets the thread run, it finishes the system call it
// was given, returns into a signal frame that holds all its registers, vector registers and signal
// mask, and goes on where it had been. No breakpoint is ever set, no text of the target changed.
//
// Not thread-safe; ptrace wants all calls for a thread to come from the same thread. SIGCHLD has to
// be blocked and not ignored: stops are waited for with it.
#ifndef UNCLOSED_ATTACH_TRACEE_H
#define UNCLOSED_ATTACH_TRACEE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "attach/arch.h"
#include "attach/target.h"

struct tracee {
    const struct target *target;
    const struct arch_gadgets *gadgets;
    pid_t tid;
    bool stopped;
    bool interrupted; // ... by tracee_interrupt, perhaps in the middle of a system call
    bool at_call;     // ... at a system call
    bool calls;       // runs with stops at system calls
    bool borrowed;
    uint64_t stopped_at;     // process_now of the latest stop before it was borrowed
    struct arch_state state; // what it had when borrowed
    uint64_t frame;          // address of the frame it would return into
    uint64_t scratch;        // address of bytes of its stack put aside, 0: none
    size_t scratch_bytes;
    uint8_t scratch_data[ARCH_FRAME_BYTES];
};

enum tracee_event {
    TRACEE_STOPPED = 1, // by tracee_interrupt
    TRACEE_ENTRY,       // at the entry of a system call
    TRACEE_EXIT,        // at its exit
    TRACEE_GROUP_STOP,  // the process is being stopped by a signal
    TRACEE_GONE,        // ended, or the process executes another program
    TRACEE_TIMEOUT,
};

// Begins to trace the thread `tracee->tid` and asks it to stop; does not wait. Result: 0 or -errno.
int tracee_seize(struct tracee *tracee);

// Waits until the thread stops, at most until `deadline` (process_now). Signals that arrive are
// passed on to it.
enum tracee_event tracee_wait(struct tracee *tracee, uint64_t deadline);

// Asks a running tracee to stop. Result: 0 or -errno.
int tracee_interrupt(struct tracee *tracee);

// Lets a stopped tracee run until it stops for another reason; with `calls` also at each entry and
// exit of a system call. Result: 0 or -errno.
int tracee_continue(struct tracee *tracee, bool calls);

// Ends tracing. A borrowed thread is given back first. Nothing may be done with it afterwards.
void tracee_release(struct tracee *tracee);

// Puts aside what a stopped thread has and makes it restore itself, see above. Result: 0; -EAGAIN:
// not at this moment (no room on its stack, signals pending, in a restartable sequence); -errno.
int tracee_borrow(struct tracee *tracee);

// Has a borrowed thread make a system call. Result: 0 with what it answered in *answer, or -errno
// if that could not be done.
int tracee_call(struct tracee *tracee, long number, const uint64_t arguments[6], int64_t *answer);

// Moves the frame from the thread's own stack to the `bytes` bytes at `region`, which belong to us,
// and back again. Result: 0 or -errno.
int tracee_move_frame(struct tracee *tracee, uint64_t region, size_t bytes);
int tracee_move_frame_back(struct tracee *tracee);

// Has a borrowed thread clone a raw thread, see arch_prepare_clone. Result: its id or -errno.
pid_t tracee_clone(struct tracee *tracee, uint64_t stack, uint64_t entry, uint64_t data,
                   uint64_t tcb, uint64_t lives_address);

#endif
