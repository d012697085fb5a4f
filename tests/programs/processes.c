// Processes: forks of every kind, exec, daemons, dropped privileges and the ways a program ends.
//
// Usage: processes SCENARIO; each process that opens something prints its own counts.
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "counts.h"

#define SCENARIO static __attribute__((noinline)) int

static const char *self; // path of this program

static sqlite3 *open_one(void)
{
    sqlite3 *db = NULL;
    sqlite3_open(":memory:", &db); // site: open one
    return counts_opened(db);
}

static void open_and_leak(int leaks)
{
    for (int i = 0; i < leaks; i++)
        open_one(); // site: leak
    counts_closed(sqlite3_close(open_one()));
    counts_print();
}

static int wait_for(pid_t pid)
{
    int status;
    while (waitpid(pid, &status, 0) < 0)
        must(errno == EINTR, "waitpid");
    printf("child=%d status=%d\n", (int)pid, status);
    return 0;
}

SCENARIO none(void)
{
    return system("true");
}

SCENARIO fork_own(void)
{
    open_and_leak(1);
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        counts_reset();
        open_and_leak(2);
        _exit(3);
    }
    return wait_for(pid);
}

SCENARIO fork_idle(void)
{
    open_and_leak(1);
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    return wait_for(pid);
}

// The child never touches the parent's handle.
SCENARIO fork_unused(void)
{
    sqlite3 *db = open_one();
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        counts_reset();
        open_and_leak(1);
        _exit(0);
    }
    wait_for(pid);
    counts_closed(sqlite3_close(db));
    counts_print();
    return 0;
}

SCENARIO fork_used(void)
{
    sqlite3 *db = open_one(); // site: inherited handle
    fflush(stdout);
    pid_t pid = fork();
    if (pid == 0) {
        sqlite3_exec(db, "select 1", 0, 0, 0); // site: use in the child
        sqlite3_close(db);                     // site: close in the child
        _exit(0);
    }
    wait_for(pid);
    counts_closed(sqlite3_close(db));
    counts_print();
    return 0;
}

SCENARIO fork_chain(void)
{
    for (int depth = 0; depth < 4; depth++) {
        open_and_leak(1);
        fflush(stdout);
        pid_t pid = fork();
        if (pid != 0) {
            int status;
            waitpid(pid, &status, 0);
            return WEXITSTATUS(status) + 1;
        }
        counts_reset();
    }
    return 0;
}

SCENARIO vfork_exec(void)
{
    open_and_leak(1);
    fflush(stdout);
    pid_t pid = vfork();
    if (pid == 0) {
        execl(self, self, "leaf", (char *)NULL);
        _exit(127);
    }
    wait_for(pid);
    open_and_leak(1);
    return 0;
}

SCENARIO raw_clone(void)
{
    open_and_leak(1);
    fflush(stdout);
    pid_t pid = (pid_t)syscall(SYS_clone, SIGCHLD, 0, 0, 0, 0);
    if (pid == 0) {
        counts_reset();
        open_and_leak(2);
        _exit(0);
    }
    return wait_for(pid);
}

static int clone_body(void *data)
{
    (void)data;
    counts_reset();
    open_and_leak(2);
    _exit(0);
}

SCENARIO libc_clone(void)
{
    static char stack[1 << 18] __attribute__((aligned(16)));
    open_and_leak(1);
    fflush(stdout);
    return wait_for(clone(clone_body, stack + sizeof stack, SIGCHLD, NULL));
}

SCENARIO exec_self(void)
{
    open_and_leak(1);
    execl(self, self, "leaf", (char *)NULL);
    return 127;
}

SCENARIO leaf(void)
{
    open_and_leak(1);
    return 0;
}

SCENARIO sleeps(void)
{
    open_and_leak(1);
    return pause();
}

// What daemons do: fork twice, new session, all descriptors closed, another folder. It tells by a
// file that it is done.
SCENARIO daemonized(void)
{
    int folder = open(".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    must(folder >= 0, "open folder");
    if (fork() != 0)
        _exit(0);
    setsid();
    if (fork() != 0)
        _exit(0);
    must(chdir("/") == 0, "chdir");
    int output = openat(folder, "daemon.out", O_CREAT | O_WRONLY, 0644);
    for (int fd = 0; fd < 1024; fd++)
        if (fd != folder && fd != output)
            close(fd);
    dup2(output, 1);
    open_and_leak(2);
    must(linkat(folder, "daemon.out", folder, "daemon.done", 0) == 0, "linkat");
    return 0;
}

SCENARIO drop_privileges(void)
{
    must(setgroups(0, NULL) == 0, "setgroups");
    must(setgid(65534) == 0, "setgid");
    must(setuid(65534) == 0, "setuid");
    open_and_leak(2);
    return 0;
}

SCENARIO drop_late(void)
{
    open_and_leak(1);
    counts_reset();
    must(setgid(65534) == 0 && setuid(65534) == 0, "setuid");
    // Enough to make the trace grow when it is not ours any more.
    for (int i = 0; i < 3000; i++)
        open_one();
    counts_print();
    return 0;
}

static void *exit_from_thread(void *data)
{
    exit(data == NULL);
}

static void *outlive_main(void *data)
{
    usleep(100000);
    open_one();
    counts_print();
    exit(6);
    return data;
}

static int leave(const char *how)
{
    open_and_leak(1);
    fflush(stdout);
    if (strcmp(how, "exit") == 0)
        exit(4);
    if (strcmp(how, "_exit") == 0)
        _exit(5);
    if (strcmp(how, "exit_group") == 0)
        syscall(SYS_exit_group, 8);
    if (strcmp(how, "quick_exit") == 0)
        quick_exit(7);
    if (strcmp(how, "abort") == 0)
        abort();
    if (strcmp(how, "sigterm") == 0)
        raise(SIGTERM);
    if (strcmp(how, "sigkill") == 0)
        raise(SIGKILL);
    if (strcmp(how, "segv") == 0)
        raise(SIGSEGV);
    pthread_t thread;
    if (strcmp(how, "thread_exit") == 0 &&
        pthread_create(&thread, NULL, exit_from_thread, NULL) == 0)
        pause();
    if (strcmp(how, "pthread_exit") == 0 && pthread_create(&thread, NULL, outlive_main, NULL) == 0)
        pthread_exit(NULL);
    return 9; // "return"
}

static void close_at_exit(void)
{
    counts_closed(sqlite3_close(open_one()));
    counts_print();
}

// Sessions in exit handlers and destructors, after whatever the recorder does at exit.
SCENARIO at_exit(void)
{
    atexit(close_at_exit);
    open_one();
    return 0;
}

static const struct scenario {
    const char *name;
    int (*run)(void);
} scenarios[] = {
    {"none", none},
    {"fork_own", fork_own},
    {"fork_idle", fork_idle},
    {"fork_unused", fork_unused},
    {"fork_used", fork_used},
    {"fork_chain", fork_chain},
    {"vfork_exec", vfork_exec},
    {"raw_clone", raw_clone},
    {"libc_clone", libc_clone},
    {"exec_self", exec_self},
    {"leaf", leaf},
    {"sleeps", sleeps},
    {"daemonized", daemonized},
    {"drop_privileges", drop_privileges},
    {"drop_late", drop_late},
    {"at_exit", at_exit},
};

int main(int argc, char **argv)
{
    self = argv[0];
    setvbuf(stdout, NULL, _IOLBF, 0);
    if (argc == 3 && strcmp(argv[1], "leave") == 0)
        return leave(argv[2]);
    for (size_t s = 0; argc == 2 && s < sizeof scenarios / sizeof scenarios[0]; s++)
        if (strcmp(argv[1], scenarios[s].name) == 0)
            return scenarios[s].run();
    return 98;
}
