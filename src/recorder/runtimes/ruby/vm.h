// Ruby's virtual machine: what the calling thread is to it, and its frames. Reads only.
//
// All is asked of functions that libruby exports and that neither allocate nor raise. They read
// what belongs to the thread that has the lock of the virtual machine (GVL). Some drivers (pg,
// mysql2) open a connection without it: then it is taken for a moment, as an extension does to call
// back, once the traced call is over, and so when the thread is about to take it anyway. While a
// collection runs, which may move objects, nothing is asked.
#ifndef UNCLOSED_RECORDER_RUNTIMES_RUBY_VM_H
#define UNCLOSED_RECORDER_RUNTIMES_RUBY_VM_H

#include <stdbool.h>
#include <stdint.h>

#include "recorder/books/session.h"
#include "recorder/stacks/stack_memo.h"

enum ruby_thread {
    RUBY_ELSEWHERE,  // not a thread of Ruby's, or no virtual machine (any more)
    RUBY_UNLOCKED,   // Ruby's, but without the GVL
    RUBY_COLLECTING, // a collection runs on it, or the last one at the end
    RUBY_RUNNING,
};

// Looks for Ruby, and says in the trace what is not seen of it. false: there is none. closers:
// whether the frames of this version tell who closes. Takes the loader's lock.
bool ruby_vm_find(bool *closers);

// What the calling thread is to Ruby. Thread-safe.
enum ruby_thread ruby_vm_thread(void);

// See struct runtime.
void ruby_vm_frames(struct stack *stack, const struct stack_origin *origin);

// The C function of the method that runs, if the innermost frame is one that C implements; else 0.
// On a thread that is RUBY_RUNNING.
uint64_t ruby_vm_method(void);

// Whether the outermost frame is that of the main script. thread: what ruby_vm_thread said.
bool ruby_vm_is_in_main(enum ruby_thread thread);

// The first of the files, a list of ends of paths that NULL ends, in which the innermost frames run
// code; -1: none. thread: what ruby_vm_thread said.
int ruby_vm_runs(enum ruby_thread thread, const char *const *files);

#endif
