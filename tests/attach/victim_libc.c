// Rounds of victims (victim.h) in the C library: malloc, the dynamic linker, processes, signals,
// and registers that must keep what is in them.
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <spawn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "victim.h"

// In registers_x86_64.S: fills all registers, keeps them for `rounds` turns; 0 or what was changed.
int check_registers(unsigned long rounds);

// malloc and free of all sizes; what is in the blocks must stay there.
static void round_malloc(struct worker *worker)
{
    enum { BLOCKS = 64 };
    unsigned char *block[BLOCKS];
    size_t size[BLOCKS];
    for (int i = 0; i < BLOCKS; i++) {
        size[i] = (size_t)(rand_r(&worker->seed) % (i % 16 == 0 ? 100000 : 600)) + 1;
        block[i] = malloc(size[i]);
        if (block[i] == NULL)
            victim_fail("malloc failed");
        memset(block[i], i, size[i]);
        if (i % 5 == 0) {
            block[i] = realloc(block[i], size[i] * 2);
            if (block[i] == NULL)
                victim_fail("realloc failed");
        }
    }
    for (int i = 0; i < BLOCKS; i++) {
        if (block[i][0] != i || block[i][size[i] - 1] != i)
            victim_fail("a block has changed");
        free(block[i]);
    }
}

// The dynamic linker all the time.
static void round_dlopen(struct worker *worker)
{
    void *library = dlopen("libm.so.6", RTLD_NOW | RTLD_LOCAL);
    if (library == NULL || dlsym(library, "cos") == NULL || dlclose(library) != 0)
        victim_fail("dlopen failed");
    round_malloc(worker);
}

static void round_registers(struct worker *worker)
{
    (void)worker;
    const int changed = check_registers(100000);
    if (changed != 0) {
        char text[64];
        snprintf(text, sizeof text, "registers changed, group %d", changed);
        victim_fail(text);
    }
}

static void wait_for(pid_t child)
{
    int status = 0;
    pid_t got = -1;
    do {
        got = waitpid(child, &status, 0);
    } while (got < 0 && errno == EINTR);
    if (got != child || !WIFEXITED(status) || WEXITSTATUS(status) != 7)
        victim_fail("a child ended badly");
}

// The child uses what must work in the child of a program with one thread.
static void round_fork(struct worker *worker)
{
    const pid_t child = fork();
    if (child == 0) {
        round_malloc(worker);
        _exit(7);
    }
    if (child < 0)
        victim_fail("fork failed");
    wait_for(child);
}

static void round_vfork(struct worker *worker)
{
    (void)worker;
    const pid_t child = vfork();
    if (child == 0) {
        execl("/bin/sh", "sh", "-c", "exit 7", (char *)NULL);
        _exit(1);
    }
    if (child < 0)
        victim_fail("vfork failed");
    wait_for(child);
}

// The child takes so long to execute that the parent cannot be stopped for longer than anyone
// waits.
static void round_vfork_slow(struct worker *worker)
{
    (void)worker;
    const pid_t child = vfork();
    if (child == 0) {
        sleep(12);
        execl("/bin/sh", "sh", "-c", "exit 7", (char *)NULL);
        _exit(1);
    }
    wait_for(child);
    sleep(60);
}

static void round_spawn(struct worker *worker)
{
    static char shell[] = "sh";
    static char option[] = "-c";
    static char command[] = "exit 7";
    char *arguments[] = {shell, option, command, NULL};
    char *environment[] = {NULL};
    pid_t child = 0;
    (void)worker;
    if (posix_spawn(&child, "/bin/sh", NULL, NULL, arguments, environment) != 0)
        victim_fail("posix_spawn failed");
    wait_for(child);
}

static void round_system(struct worker *worker)
{
    (void)worker;
    const int status = system("exit 7");
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 7)
        victim_fail("system failed");
}

static atomic_ulong signals;

static void count_signal(int number)
{
    (void)number;
    atomic_fetch_add(&signals, 1);
}

// Every signal sent must be handled.
static void round_signals(struct worker *worker)
{
    const unsigned long before = atomic_load(&signals);
    for (int i = 0; i < 50; i++)
        pthread_kill(pthread_self(), SIGUSR1);
    if (atomic_load(&signals) < before + 50)
        victim_fail("a signal got lost");
    round_malloc(worker);
}

static void round_sleep(struct worker *worker)
{
    (void)worker;
    struct timespec before;
    struct timespec after;
    const struct timespec time = {0, 50000000};
    clock_gettime(CLOCK_MONOTONIC, &before);
    if (nanosleep(&time, NULL) != 0 && victim_ended == 0)
        victim_fail("nanosleep was interrupted");
    clock_gettime(CLOCK_MONOTONIC, &after);
    const int64_t ns =
        (after.tv_sec - before.tv_sec) * INT64_C(1000000000) + (after.tv_nsec - before.tv_nsec);
    if (ns < time.tv_nsec && victim_ended == 0)
        victim_fail("nanosleep returned early");
}

static void round_idle(struct worker *worker)
{
    (void)worker;
    usleep(1000000);
}

static void round_compute(struct worker *worker)
{
    for (int i = 0; i < 1000000; i++)
        worker->seed = worker->seed * 1103515245 + 12345;
}

const struct mode victim_modes[] = {
    {"malloc", round_malloc},
    {"dlopen", round_dlopen},
    {"registers", round_registers},
    {"fork", round_fork},
    {"vfork", round_vfork},
    {"spawn", round_spawn},
    {"signals", round_signals},
    {"sleep", round_sleep},
    {"idle", round_idle},
    {"compute", round_compute},
    {"vfork-slow", round_vfork_slow},
    {"system", round_system},
    {NULL, NULL},
};

void victim_prepare(void)
{
    signal(SIGUSR1, count_signal);
}
