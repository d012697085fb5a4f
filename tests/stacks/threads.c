// Threads that hold sessions in known places. Each has the name of what it does.
//
//   threads places   eight threads that stay where they are; "ready" when all have arrived
//   threads busy     eight threads that work and check what they get, until SIGTERM: "ok ROUNDS"
//   threads vfork    one in an uninterruptible sleep for SECONDS, inside a vfork
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ipc.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define KEPT __attribute__((noinline, noclone))

enum { THREADS = 8 };

static sem_t arrived;
static atomic_bool stop;
static atomic_ulong rounds;

// Not a function, so that whoever opens is who acquires.
#define OPEN_DATABASE()                                                                            \
    ({                                                                                             \
        sqlite3 *opened = NULL;                                                                    \
        if (sqlite3_open(":memory:", &opened) != SQLITE_OK)                                        \
            abort();                                                                               \
        opened;                                                                                    \
    })

KEPT static int stay(sqlite3 *database)
{
    sem_post(&arrived);
    while (pause() != 0 && errno == EINTR && !atomic_load(&stop))
        continue;
    return sqlite3_total_changes(database);
}

KEPT static int inside(void)
{
    sqlite3 *database = OPEN_DATABASE();
    return stay(database) + 1;
}

KEPT static int leave(sqlite3 **database)
{
    *database = OPEN_DATABASE();
    return sqlite3_total_changes(*database);
}

KEPT static int returned(void)
{
    sqlite3 *database;
    int changes = leave(&database);
    return stay(database) + changes;
}

KEPT static int deep(int depth)
{
    if (depth > 0) {
        volatile int below = deep(depth - 1); // really called
        return below + 1;
    }
    sqlite3 *database = OPEN_DATABASE();
    return stay(database) + 1;
}

KEPT static int nested(void)
{
    return deep(30) + 1;
}

// Called twice from one place; both calls leave a session open.
KEPT static int call_again(bool last)
{
    sqlite3 *database = OPEN_DATABASE();
    return last ? stay(database) + 1 : sqlite3_total_changes(database);
}

KEPT static int again(void)
{
    int sum = 0;
    for (volatile int i = 0; i < 2; i++)
        sum += call_again(i == 1);
    return sum;
}

KEPT static int computing(void)
{
    sqlite3 *database = OPEN_DATABASE();
    volatile uint64_t value = 1;
    sem_post(&arrived);
    while (!atomic_load(&stop))
        value = value * 3 + 1;
    return sqlite3_total_changes(database) + (int)value;
}

// Has SQLite call back, and stays there.
static int progress(void *database)
{
    stay(database);
    return 1;
}

KEPT static int in_library(void)
{
    sqlite3 *database = OPEN_DATABASE();
    sqlite3_progress_handler(database, 1, progress, database);
    sqlite3_exec(database, "create table t(x); insert into t values(1)", NULL, NULL, NULL);
    return sqlite3_total_changes(database) + 1;
}

static inline __attribute__((always_inline)) int inlined(void)
{
    sqlite3 *database = OPEN_DATABASE();
    return stay(database) + 1;
}

KEPT static int outer(void)
{
    return inlined() + 1;
}

KEPT static int ended(void)
{
    sqlite3 *database = OPEN_DATABASE();
    int changes = sqlite3_total_changes(database);
    sem_post(&arrived);
    return changes;
}

struct place {
    const char *name;
    int (*function)(void);
};

static void *run(void *data)
{
    const struct place *place = data;
    pthread_setname_np(pthread_self(), place->name);
    return (void *)(intptr_t)place->function();
}

static const struct place places[THREADS] = {
    {"inside", inside},       {"returned", returned},     {"nested", nested}, {"again", again},
    {"computing", computing}, {"in_library", in_library}, {"outer", outer},   {"ended", ended},
};

static int wait_places(void)
{
    sem_init(&arrived, 0, 0);
    for (int i = 0; i < THREADS; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, run, (void *)&places[i]) != 0)
            abort();
        pthread_detach(thread);
    }
    for (int i = 0; i < THREADS; i++)
        sem_wait(&arrived);
    usleep(200000);
    puts("ready");
    fflush(stdout);
    pause();
    return 0;
}

static void bad(const char *what, long got)
{
    printf("bad: %s, %ld, %s\n", what, got, strerror(errno));
    fflush(stdout);
    _exit(1);
}

// Registers full of values that have to be the same afterwards.
KEPT static void check_registers(void)
{
    uint64_t a = 1, b = 2, c = 3, d = 4, e = 5, f = 6;
    double x = 1.5, y = 2.5;
    for (int i = 0; i < 2000; i++)
        __asm__ volatile(""
                         : "+r"(a), "+r"(b), "+r"(c), "+r"(d), "+r"(e), "+r"(f), "+x"(x), "+x"(y));
    if (a != 1 || b != 2 || c != 3 || d != 4 || e != 5 || f != 6 || x != 1.5 || y != 2.5)
        bad("registers", (long)a);
}

// Calls that a stop would make return early, with a time limit of 2 ms: they must reach it.
static void check_calls(int set, int socket_, int semaphores)
{
    struct epoll_event event;
    char byte;
    sigset_t user;
    const struct timespec limit = {0, 2000000};
    struct sembuf take = {.sem_op = -1};
    sigemptyset(&user);
    sigaddset(&user, SIGUSR1);
    int got = epoll_wait(set, &event, 1, 2);
    if (got != 0)
        bad("epoll_wait", got);
    got = sigtimedwait(&user, NULL, &limit);
    if (got != -1 || errno != EAGAIN)
        bad("sigtimedwait", got);
    got = semtimedop(semaphores, &take, 1, &limit);
    if (got != -1 || errno != EAGAIN)
        bad("semtimedop", got);
    got = (int)recv(socket_, &byte, 1, 0);
    if (got != -1 || errno != EAGAIN)
        bad("recv", got);
    if (nanosleep(&limit, NULL) != 0)
        bad("nanosleep", -1);
}

static void check_database(sqlite3 *database)
{
    sqlite3_stmt *statement = NULL;
    if (sqlite3_prepare_v2(database, "select 6 * 7", -1, &statement, NULL) != SQLITE_OK ||
        sqlite3_step(statement) != SQLITE_ROW || sqlite3_column_int(statement, 0) != 42)
        bad("select", sqlite3_errcode(database));
    sqlite3_finalize(statement);
}

KEPT static void *work(void *data)
{
    const struct timeval limit = {0, 2000};
    int ends[2];
    sqlite3 *database = OPEN_DATABASE();
    const int set = epoll_create1(0);
    const int semaphores = semget(IPC_PRIVATE, 1, 0600);
    (void)data;
    if (socketpair(AF_UNIX, SOCK_DGRAM, 0, ends) != 0 || set < 0 || semaphores < 0)
        bad("setting up", -1);
    setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    sem_post(&arrived);
    while (!atomic_load(&stop)) {
        check_registers();
        check_calls(set, ends[0], semaphores);
        check_database(database);
        sqlite3 *other = OPEN_DATABASE();
        check_database(other);
        if (sqlite3_close(other) != SQLITE_OK)
            bad("close", -1);
        atomic_fetch_add(&rounds, 1);
    }
    semctl(semaphores, 0, IPC_RMID);
    return database;
}

static int work_on_threads(void)
{
    pthread_t threads[THREADS];
    sigset_t all;
    sigset_t end;
    int got;
    sem_init(&arrived, 0, 0);
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, NULL); // a stop must not be taken for one of them
    for (int i = 0; i < THREADS; i++)
        if (pthread_create(&threads[i], NULL, work, NULL) != 0)
            abort();
    for (int i = 0; i < THREADS; i++)
        sem_wait(&arrived);
    puts("ready");
    fflush(stdout);
    sigemptyset(&end);
    sigaddset(&end, SIGTERM);
    if (sigwait(&end, &got) != 0)
        bad("sigwait", got);
    atomic_store(&stop, true);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    printf("ok %lu\n", atomic_load(&rounds));
    return 0;
}

// The parent is not to be stopped until the child has gone.
KEPT static int sleep_in_vfork(const char *seconds)
{
    sqlite3 *database = OPEN_DATABASE();
    puts("ready");
    fflush(stdout);
    const struct timespec time = {strtol(seconds, NULL, 10), 0};
    const pid_t child = vfork(); // NOLINT(clang-analyzer-security.insecureAPI.vfork)
    if (child == 0) {
        // exec would wake the parent up: sleep without it, by a call that needs no memory.
        clock_nanosleep(CLOCK_MONOTONIC, 0, &time, NULL); // NOLINT(clang-analyzer-unix.Vfork)
        _exit(0);
    }
    printf("ok %d\n", sqlite3_total_changes(database));
    return child < 0;
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "places") == 0)
        return wait_places();
    if (argc == 2 && strcmp(argv[1], "busy") == 0)
        return work_on_threads();
    if (argc == 3 && strcmp(argv[1], "vfork") == 0)
        return sleep_in_vfork(argv[2]);
    return 2;
}
