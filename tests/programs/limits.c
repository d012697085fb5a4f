// Hostile surroundings: descriptors closed behind the recorder's back, limits on files, memory and
// descriptors, another root folder, a signal handler in the middle.
//
// Usage: limits SCENARIO [ARGUMENT]; prints its own counts.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/time.h>

#include "counts.h"

#define SCENARIO static __attribute__((noinline)) int

static sqlite3 *open_one(void)
{
    sqlite3 *db = NULL;
    sqlite3_open(":memory:", &db);
    return counts_opened(db);
}

static void limit(int resource, rlim_t value)
{
    struct rlimit limits = {value, value};
    must(setrlimit(resource, &limits) == 0, "setrlimit");
}

SCENARIO close_all(const char *argument)
{
    (void)argument;
    open_one();
    must(close_range(3, ~0U, 0) == 0, "close_range");
    for (int i = 0; i < 10; i++)
        open_one();
    int file = open("data", O_CREAT | O_RDWR, 0600); // gets the number a careless recorder had
    must(file == 3, "first free descriptor is 3");
    closefrom(3);
    for (int i = 0; i < 2000; i++)
        open_one();
    struct stat status;
    must(stat("data", &status) == 0 && status.st_size == 0, "nobody wrote to data");
    return 0;
}

SCENARIO no_descriptors(const char *argument)
{
    (void)argument;
    limit(RLIMIT_NOFILE, 3);
    for (int i = 0; i < 2000; i++)
        open_one();
    return 0;
}

// SIGXFSZ has its default action, death.
SCENARIO file_size(const char *bytes)
{
    limit(RLIMIT_FSIZE, (rlim_t)atol(bytes));
    for (int i = 0; i < 5000; i++)
        open_one();
    return 0;
}

SCENARIO address_space(const char *mebibytes)
{
    long pages;
    FILE *statm = fopen("/proc/self/statm", "r");
    must(statm != NULL && fscanf(statm, "%ld", &pages) == 1, "statm");
    fclose(statm);
    limit(RLIMIT_AS, (rlim_t)(pages * 4096 + atol(mebibytes) * 1048576));
    long failed = 0;
    sqlite3 *first = open_one();
    for (int i = 0; i < 5000; i++)
        failed += open_one() == NULL;
    counts_closed(sqlite3_close(first));
    printf("some_failed=%d\n", failed > 0);
    return 0;
}

// As many as the disk does not hold.
SCENARIO many(const char *number)
{
    for (long i = 0; i < atol(number); i++)
        open_one();
    return 0;
}

// One each 10 ms, all left open.
SCENARIO slowly(const char *number)
{
    for (long i = 0; i < atol(number); i++) {
        open_one();
        if (i == 0)
            puts("begun");
        usleep(10000);
    }
    return 0;
}

// Opens and closes as fast as it can, with several threads, until the file exists.
static const char *stop_file;
static void *open_until_told(void *data)
{
    while (access(stop_file, F_OK) != 0)
        for (int i = 0; i < 10; i++)
            counts_closed(sqlite3_close(open_one()));
    return data;
}

SCENARIO until_told(const char *file)
{
    enum { THREADS = 3 };
    pthread_t thread[THREADS];
    stop_file = file;
    puts("begun");
    for (int i = 0; i < THREADS; i++)
        must(pthread_create(&thread[i], NULL, open_until_told, NULL) == 0, "thread");
    for (int i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    for (int i = 0; i < 5; i++)
        open_one();
    return 0;
}

// What a program is shown of SIGBUS, and what it does: argument "show", "set", "default" (sets it
// there again), or how it dies: "map" (its own file is shortened), "kill", "mapped handler".
static void on_bus(int signal, siginfo_t *info, void *context)
{
    (void)context;
    printf("handler=%d code=%d\n", signal, info->si_code);
    fflush(stdout);
    _exit(7);
}

static void touch_what_is_not_there(void)
{
    int file = open("data", O_CREAT | O_RDWR, 0600);
    must(file >= 0 && ftruncate(file, 8192) == 0, "file");
    char *data = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    must(data != MAP_FAILED && ftruncate(file, 0) == 0, "map");
    data[5000] = 1;
}

static void show_bus(void)
{
    struct sigaction action;
    must(sigaction(SIGBUS, NULL, &action) == 0, "sigaction");
    printf("default=%d flags=%d\n", action.sa_handler == SIG_DFL, action.sa_flags);
}

SCENARIO bus(const char *what)
{
    struct sigaction action = {.sa_sigaction = on_bus, .sa_flags = SA_SIGINFO};
    open_one();
    show_bus();
    if (strstr(what, "handler"))
        must(sigaction(SIGBUS, &action, NULL) == 0, "handler");
    if (strcmp(what, "default") == 0) {
        void (*before)(int) = signal(SIGBUS, SIG_IGN);
        printf("before=%d", before == SIG_DFL);
        before = signal(SIGBUS, SIG_DFL);
        printf(" ignored=%d\n", before == SIG_IGN);
        show_bus();
    }
    if (strcmp(what, "kill") == 0)
        kill(getpid(), SIGBUS);
    if (strncmp(what, "map", 3) == 0)
        touch_what_is_not_there();
    return 0;
}

// A filter that kills, for what SQLite does not need with databases in memory: added by prctl,
// seccomp or syscall, as the argument says.
static void add_filter(const char *how)
{
    static const int forbidden[] = {SYS_openat,     SYS_mmap,           SYS_process_vm_readv,
#ifdef SYS_readlink
                                    SYS_readlink,
#endif
                                    SYS_readlinkat, SYS_newfstatat,     SYS_gettid,
                                    SYS_fallocate,  SYS_prctl,          SYS_mincore,
                                    SYS_fcntl,      SYS_rt_sigprocmask, SYS_munmap,
                                    SYS_mremap,     SYS_rt_sigaction,   SYS_getcwd};
    enum { COUNT = sizeof forbidden / sizeof forbidden[0] };
    struct sock_filter code[2 * COUNT + 2] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr))};
    for (int i = 0; i < COUNT; i++) {
        code[1 + 2 * i] =
            (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (unsigned)forbidden[i], 0, 1);
        code[2 + 2 * i] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS);
    }
    code[1 + 2 * COUNT] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    struct sock_fprog filter = {2 * COUNT + 2, code};
    must(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0, "no new privileges");
    if (strcmp(how, "prctl") == 0)
        must(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) == 0, "filter");
    else
        must(syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, 0, &filter) == 0, "filter");
}

// argument: "prctl 100 3000": how, databases opened before and after.
SCENARIO filter(const char *argument)
{
    char how[16];
    int before, after;
    must(sscanf(argument, "%15s %d %d", how, &before, &after) == 3, "argument");
    mallopt(M_MMAP_MAX, 0);
    mallopt(M_TOP_PAD, 256 << 20);
    free(malloc(1));
    must(prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL) == -1, "a question, no filter");
    for (int i = 0; i < before; i++)
        open_one();
    add_filter(how);
    for (int i = 0; i < after; i++)
        if (i % 4)
            counts_closed(sqlite3_close(open_one()));
        else
            open_one();
    return 0;
}

SCENARIO changed_root(const char *folder)
{
    open_one();
    must(chroot(folder) == 0 && chdir("/") == 0, "chroot");
    for (int i = 0; i < 2000; i++)
        open_one();
    return 0;
}

SCENARIO changed_root_first(const char *folder)
{
    must(chroot(folder) == 0 && chdir("/") == 0, "chroot");
    for (int i = 0; i < 20; i++)
        open_one();
    return 0;
}

// A profiler's signal interrupts at any instruction and does what SQLite allows nobody to do; ours
// is a pool of our own, which is safe: see the pool argument of depots. Here the handler only
// breaks system calls and takes time.
static volatile sig_atomic_t ticks;
static void on_tick(int signal)
{
    (void)signal;
    int saved = errno;
    getppid();
    ticks = ticks + 1;
    errno = saved;
}

SCENARIO interrupted(const char *argument)
{
    (void)argument;
    struct sigaction action = {.sa_handler = on_tick};
    sigaction(SIGPROF, &action, NULL);
    struct itimerval timer = {{0, 500}, {0, 500}};
    setitimer(ITIMER_PROF, &timer, NULL);
    for (int i = 0; i < 20000; i++)
        counts_closed(sqlite3_close(open_one()));
    open_one();
    printf("ticked=%d\n", ticks > 0);
    return 0;
}

// A stack of 16 KiB, the smallest that pthread allows: what a wrapper uses of it must be little.
static void *on_small_stack(void *data)
{
    counts_closed(sqlite3_close(open_one()));
    return data;
}

SCENARIO small_stack(const char *kibibytes)
{
    pthread_attr_t attributes;
    pthread_attr_init(&attributes);
    must(pthread_attr_setstacksize(&attributes, (size_t)atol(kibibytes) * 1024) == 0, "stack size");
    sqlite3_initialize();
    for (int i = 0; i < 5; i++) {
        pthread_t thread;
        must(pthread_create(&thread, &attributes, on_small_stack, NULL) == 0, "thread");
        pthread_join(thread, NULL);
    }
    return 0;
}

// Names that no file can have: SQLite says so, a thousand times. argument: the bytes of each, and
// whether they are alike ("70000 alike", "70000 unlike").
SCENARIO long_names(const char *argument)
{
    char *end;
    size_t bytes = strtoul(argument, &end, 10);
    bool alike = strcmp(end, " alike") == 0;
    char *name = malloc(bytes + 1);
    must(name != NULL && bytes > 16, "name");
    memset(name, 'a', bytes);
    name[bytes] = 0;
    for (int i = 0; i < 1000; i++) {
        if (!alike) {
            char number[16];
            memcpy(name, number, (size_t)snprintf(number, sizeof number, "%08d", i));
        }
        sqlite3 *db = NULL;
        must(sqlite3_open(name, &db) == SQLITE_CANTOPEN, "cannot be opened");
        counts_closed(sqlite3_close(counts_opened(db)));
    }
    free(name);
    return 0;
}

static const struct scenario {
    const char *name;
    int (*run)(const char *argument);
} scenarios[] = {
    {"close_all", close_all},
    {"no_descriptors", no_descriptors},
    {"file_size", file_size},
    {"address_space", address_space},
    {"many", many},
    {"slowly", slowly},
    {"until_told", until_told},
    {"bus", bus},
    {"filter", filter},
    {"changed_root", changed_root},
    {"interrupted", interrupted},
    {"changed_root_first", changed_root_first},
    {"small_stack", small_stack},
    {"long_names", long_names},
};

int main(int argc, char **argv)
{
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (size_t s = 0; argc > 1 && s < sizeof scenarios / sizeof scenarios[0]; s++)
        if (strcmp(argv[1], scenarios[s].name) == 0) {
            int status = scenarios[s].run(argc > 2 ? argv[2] : "");
            counts_print();
            return status;
        }
    return 98;
}
