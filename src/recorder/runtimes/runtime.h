// What a language runtime is to the recorder: one door for all of them.
//
// A runtime answers two questions about the thread that asks: which frames of its language are on
// the stack, and what is closing the handle that a traced call is about to release. What else it
// knows it tells by itself: the test that runs by recorder_set_test, the task of a session in
// struct acquire. Knows no runtime by name, but for the list in runtimes.c.
//
// Reading a runtime must not harm the program. Frames are read without calling into it where that
// could allocate, collect or wait; what is read is bounded, and checked with peek.h until it is
// known to be laid out as expected. A runtime whose layout is not known has no frames and answers
// RUNTIME_UNKNOWN; it never guesses.
#ifndef UNCLOSED_RECORDER_RUNTIMES_RUNTIME_H
#define UNCLOSED_RECORDER_RUNTIMES_RUNTIME_H

#include <stdbool.h>
#include <stdint.h>

#include "recorder/books/session.h"
#include "recorder/stacks/stack_memo.h"
#include "trace/lock.h"

// What is closing a handle. The first that holds is meant, in this order.
enum runtime_closer {
    RUNTIME_NOT_MINE = 0, // this runtime has nothing to do with the call
    RUNTIME_CODE,         // a function that closes was called by the program
    RUNTIME_CODE_AT_EXIT, // the same, or a reference dropped, by code that runs at exit
    RUNTIME_COLLECTOR,    // a collection, or a finalizer that it started
    RUNTIME_SCOPE,        // the last reference went while a statement of the program ran, in a
                          // language that promises that this closes
    RUNTIME_REFERENCE,    // the same where the language does not promise it
    RUNTIME_REQUEST,      // the end of the request that opened it
    RUNTIME_END,          // the end of the interpreter: global destruction, shutdown
    RUNTIME_UNKNOWN,      // the runtime closes it; why is not known
};

extern struct lock runtimes_lock; // taken around fork by process.c; nothing is called under it

// A traced call that has just been made on this thread.
struct runtime_call {
    const void *caller;                // its return address
    const struct stack_origin *origin; // where its stack begins
};

struct runtime {
    const char *name; // in lower case, as in docs/runtimes.md

    // Looks for the runtime in this process and, if it is there, arranges that frames and closers
    // are seen (runtime_join): when the recorder begins, after modules were loaded, after an
    // attach. Called until found() says that this need not be done again; then costs one failed
    // symbol look-up where there is none. No lock is held.
    void (*start)(void);
    bool (*found)(void);

    // Puts this thread's frames into a stack (TRACE_FRAME_LOCATION | location), innermost first,
    // behind those that it has. origin: where the thread's stack begins; NULL: not known. Inside
    // recorder_enter, no lock held; must not call into the program. NULL: none are seen.
    void (*frames)(struct stack *stack, const struct stack_origin *origin);

    // What closes the handle that a call has released. Inside recorder_enter, before the call has
    // returned to the program. NULL: this runtime never closes any.
    enum runtime_closer (*closer)(const struct runtime_call *call);

    // What is to be said of it in trace_header.flags. NULL: nothing.
    uint32_t (*flags)(void);

    // The pool of this runtime that a handle belongs to which this call has just opened on this
    // thread, because the runtime keeps it for whoever asks next: a TRACE_POOLS reference
    // or TRACE_NONE. Inside recorder_enter, with a trace open. NULL: there is no such thing.
    uint32_t (*owner)(const struct runtime_call *call);

    // What such a pool has at the end of the runtime was kept open by it until then; else it counts
    // as released.
    bool keeps;

    // Detach: the runtime is left as it was. May wait up to a second. The next attach calls start
    // again.
    void (*leave)(void);
};

// Looks for all runtimes that have not been found yet. Thread-safe; not for signal handlers.
void runtimes_start(void);

// Writes into a trace's header which of them are there, and what is not seen of them.
void runtimes_describe(struct trace_header *header);

// Detach: leaves all of them, in turn.
void runtimes_leave(void);

// How a handle ends that a call has released: asks the runtimes that joined, and says
// TRACE_RELEASED if none has to do with it. pooled: the handle belongs to a pool, which may close
// it in whatever way. Inside recorder_enter.
enum trace_end runtimes_end(const struct runtime_call *call, bool pooled);

// What keeps a handle open for the next who asks; TRACE_NONE: nothing. See struct runtime.
uint32_t runtimes_owner(const struct runtime_call *call);

// For runtimes: says what is seen of one, in this trace and those to come. Version: as its makers
// write it.
void runtime_say(enum trace_language language, enum trace_runtime_state state, unsigned major,
                 unsigned minor);

// For runtimes: from now on frames and closers are asked for, or not any more.
void runtime_join(const struct runtime *runtime);
void runtime_part(const struct runtime *runtime);

#endif
