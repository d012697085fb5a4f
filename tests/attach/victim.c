// Programs to attach to: each mode keeps the threads in another kind of work, checks all the time
// that nothing was disturbed, and counts its rounds.
//
//   victim MODE THREADS [SECONDS]
//
// Prints "ready" when all threads run, on SIGTERM or after SECONDS "ok ROUNDS", or "bad: ..." with
// exit status 1 as soon as anything is not as it must be. Every thread must make a round at least
// every two seconds, else it is called hanging.
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { THREADS_MOST = 64, HANG_SECONDS = 5 };

struct worker {
    pthread_t thread;
    atomic_ulong rounds;
    unsigned int seed;
};

static struct worker workers[THREADS_MOST];
static volatile sig_atomic_t ended;
static void (*round_of_mode)(struct worker *worker);

// In regs_x86_64.S: fills all registers, keeps them for `rounds` turns; 0 or what was changed.
int check_registers(unsigned long rounds);

static void fail(const char *what)
{
    printf("bad: %s\n", what);
    fflush(stdout);
    _exit(1);
}

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
            fail("malloc failed");
        memset(block[i], i, size[i]);
        if (i % 5 == 0) {
            block[i] = realloc(block[i], size[i] * 2);
            if (block[i] == NULL)
                fail("realloc failed");
        }
    }
    for (int i = 0; i < BLOCKS; i++) {
        if (block[i][0] != i || block[i][size[i] - 1] != i)
            fail("a block has changed");
        free(block[i]);
    }
}

// The dynamic linker all the time.
static void round_dlopen(struct worker *worker)
{
    void *library = dlopen("libm.so.6", RTLD_NOW | RTLD_LOCAL);
    if (library == NULL || dlsym(library, "cos") == NULL || dlclose(library) != 0)
        fail("dlopen failed");
    round_malloc(worker);
}

static void round_registers(struct worker *worker)
{
    (void)worker;
    const int changed = check_registers(100000);
    if (changed != 0) {
        char text[64];
        snprintf(text, sizeof text, "registers changed, group %d", changed);
        fail(text);
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
        fail("a child ended badly");
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
        fail("fork failed");
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
        fail("vfork failed");
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
        fail("posix_spawn failed");
    wait_for(child);
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
        fail("a signal got lost");
    round_malloc(worker);
}

static void round_sleep(struct worker *worker)
{
    (void)worker;
    struct timespec before;
    struct timespec after;
    const struct timespec time = {0, 50000000};
    clock_gettime(CLOCK_MONOTONIC, &before);
    if (nanosleep(&time, NULL) != 0 && ended == 0)
        fail("nanosleep was interrupted");
    clock_gettime(CLOCK_MONOTONIC, &after);
    const int64_t ns =
        (after.tv_sec - before.tv_sec) * INT64_C(1000000000) + (after.tv_nsec - before.tv_nsec);
    if (ns < time.tv_nsec && ended == 0)
        fail("nanosleep returned early");
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

static const struct mode {
    const char *name;
    void (*round)(struct worker *worker);
} modes[] = {
    {"malloc", round_malloc},   {"dlopen", round_dlopen},         {"registers", round_registers},
    {"fork", round_fork},       {"vfork", round_vfork},           {"spawn", round_spawn},
    {"signals", round_signals}, {"sleep", round_sleep},           {"idle", round_idle},
    {"compute", round_compute}, {"vfork-slow", round_vfork_slow},
};

static void *work(void *argument)
{
    struct worker *worker = argument;
    while (ended == 0) {
        round_of_mode(worker);
        atomic_fetch_add(&worker->rounds, 1);
    }
    return NULL;
}

static void end(int number)
{
    (void)number;
    ended = 1;
}

static unsigned long total(int threads)
{
    unsigned long sum = 0;
    for (int i = 0; i < threads; i++)
        sum += atomic_load(&workers[i].rounds);
    return sum;
}

// Watches over the threads from one more of them.
static void watch(int threads, long seconds)
{
    unsigned long last[THREADS_MOST] = {0};
    const time_t finish = time(NULL) + seconds;
    while (ended == 0 && (seconds == 0 || time(NULL) < finish)) {
        for (int s = 0; s < HANG_SECONDS * 10 && ended == 0; s++)
            usleep(100000);
        for (int i = 0; i < threads && ended == 0; i++) {
            const unsigned long now = atomic_load(&workers[i].rounds);
            if (now == last[i])
                fail("a thread hangs");
            last[i] = now;
        }
    }
    ended = 1;
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        if (strcmp(argv[1], modes[i].name) == 0)
            round_of_mode = modes[i].round;
    }
    if (round_of_mode == NULL)
        return 2;
    const int threads = (int)strtol(argv[2], NULL, 10);
    signal(SIGTERM, end);
    signal(SIGUSR1, count_signal);
    for (int i = 0; i < threads; i++)
        workers[i].seed = (unsigned int)i + 1;
    printf("ready\n");
    fflush(stdout);
    if (threads <= 1) { // no thread is ever made: glibc skips its locks
        work(&workers[0]);
    } else {
        for (int i = 0; i < threads; i++) {
            if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
                fail("pthread_create failed");
        }
        watch(threads, argc > 3 ? strtol(argv[3], NULL, 10) : 0);
        for (int i = 0; i < threads; i++)
            pthread_join(workers[i].thread, NULL);
    }
    printf("ok %lu\n", total(threads > 1 ? threads : 1));
    return 0;
}
