// A program that confines itself and then waits, to see how attaching copes with that.
//
//   confined MODE [ARGUMENT]     prints "ready", then sleeps in small steps until SIGTERM
//
// Modes: plain, seccomp-errno CALL, seccomp-kill CALL, seccomp-strict, no-exec-gain (MDWE),
// no-dump, chroot FOLDER, user UID, no-descriptors, memory BYTES-TO-SPARE, locked-memory, named
// (its threads' names are odd), leader-gone (main thread has ended), trap-ignored, handler (all the
// time in a signal handler), altstack, small-stack (a thread with little room below its stack
// pointer), exec (executes itself again and again), exit (ends after some milliseconds).
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <pthread.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static void must(int result, const char *what)
{
    if (result == 0)
        return;
    printf("cannot %s: %s\n", what, strerror(errno));
    exit(77);
}

static void filter(long call, unsigned int action)
{
    struct sock_filter program[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned int)call, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, action),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog all = {sizeof program / sizeof program[0], program};
    must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0), "set no-new-privileges");
    must(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &all), "install a filter");
}

static void strict(void)
{
    printf("ready\n");
    fflush(stdout);
    must(prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT), "enter strict mode");
    for (;;) {
        char byte;
        if (read(0, &byte, 1) <= 0) // a pipe that stays open
            syscall(SYS_exit, 0);
    }
}

static void no_exec_gain(const char *unused)
{
    enum { SET_MDWE = 65, REFUSE_EXEC_GAIN = 1 };
    (void)unused;
    must(prctl(SET_MDWE, REFUSE_EXEC_GAIN, 0, 0, 0), "forbid gaining of execution");
}

static void no_dump(const char *unused)
{
    (void)unused;
    must(prctl(PR_SET_DUMPABLE, 0), "become not dumpable");
}

static void in_chroot(const char *folder)
{
    must(chroot(folder), "change the root");
    must(chdir("/"), "change the folder");
}

static void as_user(const char *uid)
{
    const unsigned int number = (unsigned int)strtoul(uid, NULL, 10);
    must(setgid(number), "change the group");
    must(setuid(number), "change the user");
    must(prctl(PR_SET_DUMPABLE, 1), "become dumpable again");
}

static void no_descriptors(const char *unused)
{
    const struct rlimit limit = {3, 3};
    (void)unused;
    must(setrlimit(RLIMIT_NOFILE, &limit), "limit the descriptors");
}

// The present size of the address space, in bytes.
static unsigned long size_now(void)
{
    unsigned long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file == NULL || fscanf(file, "%lu", &pages) != 1)
        exit(77);
    fclose(file);
    return pages * 4096;
}

static void little_memory(const char *spare)
{
    const unsigned long limit = size_now() + strtoul(spare, NULL, 10);
    const struct rlimit value = {limit, limit};
    must(setrlimit(RLIMIT_AS, &value), "limit the memory");
}

static void locked_memory(const char *unused)
{
    (void)unused;
    must(mlockall(MCL_CURRENT | MCL_FUTURE), "lock the memory");
}

static void trap_ignored(const char *unused)
{
    (void)unused;
    signal(SIGTRAP, SIG_IGN);
}

static void *be_quiet(void *unused)
{
    for (;;)
        usleep(10000);
    return unused;
}

static void leader_gone(const char *unused)
{
    pthread_t thread;
    (void)unused;
    must(pthread_create(&thread, NULL, be_quiet, NULL), "create a thread");
    printf("ready\n");
    fflush(stdout);
    pthread_exit(NULL);
}

static void in_handler(int number)
{
    (void)number;
    for (;;) {
        for (volatile int i = 0; i < 1000000; i++) {
        }
    }
}

static void handler(const char *unused)
{
    (void)unused;
    signal(SIGUSR1, in_handler);
    printf("ready\n");
    fflush(stdout);
    raise(SIGUSR1);
}

static const struct mode {
    const char *name;
    void (*enter)(const char *argument);
} modes[] = {
    {"chroot", in_chroot},          {"handler", handler},
    {"leader-gone", leader_gone},   {"locked-memory", locked_memory},
    {"memory", little_memory},      {"no-descriptors", no_descriptors},
    {"no-dump", no_dump},           {"no-exec-gain", no_exec_gain},
    {"trap-ignored", trap_ignored}, {"user", as_user},
};

int main(int argc, char **argv)
{
    if (argc < 2)
        return 2;
    for (size_t i = 0; i < sizeof modes / sizeof modes[0]; i++) {
        if (strcmp(argv[1], modes[i].name) == 0)
            modes[i].enter(argc > 2 ? argv[2] : NULL);
    }
    if (strcmp(argv[1], "seccomp-strict") == 0)
        strict();
    if (strcmp(argv[1], "seccomp-errno") == 0)
        filter(strtol(argv[2], NULL, 10), SECCOMP_RET_ERRNO | EPERM);
    if (strcmp(argv[1], "seccomp-kill") == 0)
        filter(strtol(argv[2], NULL, 10), SECCOMP_RET_KILL_PROCESS);
    if (strcmp(argv[1], "exec") == 0) {
        usleep(20000);
        execv("/proc/self/exe", argv);
        return 1;
    }
    if (strcmp(argv[1], "exit") == 0) {
        usleep((useconds_t)strtoul(argv[2], NULL, 10));
        return 7;
    }
    printf("ready\n");
    fflush(stdout);
    for (;;)
        usleep(10000);
}
