// Ptrace work in a forked child: whatever happens to the tool, or to a thread of the target that
// would not stop in time, the end of the child lets every thread of the target go.
#ifndef UNCLOSED_ATTACH_CHILD_H
#define UNCLOSED_ATTACH_CHILD_H

#include <stddef.h>
#include <sys/types.h>

#include "attach/failure.h"

struct child_work {
    void (*run)(void *data); // in the child: SIGCHLD is as tracee.h wants it, all signals blocked
    void *data;
    void *result;        // what `run` leaves there is copied to this process; NULL: nothing
    size_t result_bytes; // PIPE_BUF at most
    const char *purpose; // for messages: "attach", "inspect threads"
};

// Runs it and waits for its end. `target` is named in messages. Result: 0; or -errno, with *failure
// filled in: the child could not be started, or it died (-ECHILD), *result is then undefined. Not
// thread-safe: it changes the signal mask for a moment.
int child_run(const struct child_work *work, pid_t target, struct failure *failure);

#endif
