// Ptrace work in a forked child: see child.h. Knows nothing of what it does.
#include "attach/child.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PRIORITY = -15 };

static _Noreturn void be_child(const struct child_work *work, int end)
{
    signal(SIGCHLD, SIG_DFL);               // tracee.h
    setpriority(PRIO_PROCESS, 0, PRIORITY); // where allowed: threads wait for us
    work->run(work->data);
    const ssize_t sent = write(end, work->result, work->result_bytes);
    _exit(sent == (ssize_t)work->result_bytes ? 0 : 1);
}

// Whether the child has done its work and handed over the result.
static bool await(const struct child_work *work, pid_t child, int end)
{
    int status = 0;
    ssize_t got;
    do {
        got = read(end, work->result, work->result_bytes);
    } while (got < 0 && errno == EINTR);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    return got == (ssize_t)work->result_bytes && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

int child_run(const struct child_work *work, pid_t target, struct failure *failure)
{
    int ends[2];
    sigset_t all;
    sigset_t old;
    if (pipe(ends) != 0)
        return failure_set(failure, errno, "cannot make a pipe: %s", strerror(errno));
    sigfillset(&all);
    sigprocmask(SIG_SETMASK, &all, &old); // Ctrl-C is not to end the child in the middle
    const pid_t child = fork();
    const int error = errno;
    if (child == 0) {
        close(ends[0]);
        be_child(work, ends[1]);
    }
    sigprocmask(SIG_SETMASK, &old, NULL);
    close(ends[1]);
    const bool done = child > 0 && await(work, child, ends[0]);
    close(ends[0]);
    if (done)
        return 0;
    if (child < 0)
        return failure_set(failure, error, "cannot start a process to %s: %s", work->purpose,
                           strerror(error));
    return failure_set(failure, ECHILD,
                       "the process started to %s has died; process %d continues, try again",
                       work->purpose, target);
}
