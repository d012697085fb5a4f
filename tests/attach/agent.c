// A stand-in for the recorder's library: fulfils the contract in docs/attach.md and leaves proof
// that each of its functions ran, on an ordinary thread, with everything that such a thread may do.
//
// A trace is a text file with one line: "agent PID attached", then "detached" and "dumped".
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

#ifndef AGENT_BUILD
#define AGENT_BUILD 1 // another number makes another build of it
#endif
EXPORT extern const int agent_build;
EXPORT const int agent_build = AGENT_BUILD;
EXPORT atomic_int unclosed_state;
EXPORT int unclosed_attach(const char *options);
EXPORT int unclosed_detach(void);
EXPORT int unclosed_dump(void);
EXPORT const char *unclosed_trace_path(void);

static char path[4096];
static int trace = -1;
static _Thread_local int dynamic_tls = 42; // this library has TLS as the recorder has

static const char *option(const char *options, const char *name)
{
    const size_t length = strlen(name);
    for (; *options != '\0'; options += strlen(options) + 1) {
        if (strncmp(options, name, length) == 0 && options[length] == '=')
            return options + length + 1;
    }
    return NULL;
}

// Uses what a thread of the program may use: malloc in many sizes, its own TLS, the clock.
static int exercise(void)
{
    for (size_t size = 1; size < 200000; size = size * 3 / 2 + 1) {
        char *block = malloc(size);
        if (block == NULL)
            return -ENOMEM;
        memset(block, 0x5a, size);
        free(block);
    }
    sigset_t mask;
    pthread_sigmask(SIG_SETMASK, NULL, &mask);
    return dynamic_tls == 42 && sigismember(&mask, SIGTERM) == 1 ? 0 : -EINVAL;
}

// "%p" is the only thing it knows in a pattern.
static void expand(const char *pattern)
{
    const char *mark = strstr(pattern, "%p");
    if (mark == NULL)
        snprintf(path, sizeof path, "%s", pattern);
    else
        snprintf(path, sizeof path, "%.*s%d%s", (int)(mark - pattern), pattern, getpid(), mark + 2);
}

static int note(const char *what)
{
    char line[128];
    const int length = snprintf(line, sizeof line, "agent %d %s\n", getpid(), what);
    return write(trace, line, (size_t)length) == length ? 0 : -EIO;
}

int unclosed_attach(const char *options)
{
    const char *output = option(options, "UNCLOSED_OUTPUT");
    const char *number = option(options, "UNCLOSED_TRACE_FD");
    const char *delay = option(options, "AGENT_DELAY_MS");
    if (atomic_load(&unclosed_state) != 0)
        return -EALREADY;
    const int error = exercise();
    if (error != 0)
        return error;
    if (delay != NULL)
        nanosleep(&(struct timespec){0, strtol(delay, NULL, 10) * 1000000}, NULL);
    if (number != NULL) {
        trace = (int)strtol(number, NULL, 10);
        snprintf(path, sizeof path, "%s", option(options, "UNCLOSED_TRACE_NAME"));
    } else {
        expand(output);
        trace = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (trace < 0)
            return -errno;
    }
    if (note("attached") != 0)
        return -EIO;
    atomic_store(&unclosed_state, 1);
    return 0;
}

int unclosed_detach(void)
{
    if (atomic_load(&unclosed_state) == 0)
        return -EALREADY;
    const int error = exercise();
    atomic_store(&unclosed_state, 0);
    const int noted = note("detached");
    close(trace);
    trace = -1;
    return error != 0 ? error : noted;
}

int unclosed_dump(void)
{
    if (atomic_load(&unclosed_state) == 0)
        return -EALREADY;
    return note("dumped");
}

const char *unclosed_trace_path(void)
{
    return path;
}
