// Holds handles for known times: some for ever, some for longer than a threshold of half a second,
// most for a moment. Prints when each of the first two kinds went out, in milliseconds of the wall
// clock, and how many there were.
//
// overdue quiet|busy|child|waits: without and with another thread that opens and closes all the
// time; with a forked child that does the same; waiting for a line on standard input first.
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>

#include "counts.h"

enum { LEAKS = 3, LATE = 2, MOMENT_US = 10000, LATE_US = 1100000, PAUSE_US = 150000 };

static atomic_bool done;
static atomic_int in_time;
static pthread_t busy;

static void say(const char *what)
{
    struct timespec now;
    char text[100];
    clock_gettime(CLOCK_REALTIME, &now);
    int length = snprintf(text, sizeof text, "pid=%d %s=%lld\n", (int)getpid(), what,
                          (long long)now.tv_sec * 1000 + now.tv_nsec / 1000000);
    must(write(STDOUT_FILENO, text, (size_t)length) == length, "write");
}

__attribute__((noinline)) static void leak(void)
{
    sqlite3 *db;
    must(sqlite3_open(":memory:", &db) == SQLITE_OK, "open"); // site: leak
    say("leak");
}

__attribute__((noinline)) static void late(void)
{
    sqlite3 *db;
    must(sqlite3_open(":memory:", &db) == SQLITE_OK, "open"); // site: late
    say("late");
    usleep(LATE_US);
    must(sqlite3_close(db) == SQLITE_OK, "close");
    say("back");
}

__attribute__((noinline)) static void moment(void)
{
    sqlite3 *db;
    must(sqlite3_open(":memory:", &db) == SQLITE_OK, "open"); // site: moment
    usleep(MOMENT_US);
    must(sqlite3_close(db) == SQLITE_OK, "close");
    atomic_fetch_add(&in_time, 1);
}

static void *be_busy(void *nothing)
{
    while (!atomic_load(&done))
        moment();
    return nothing;
}

static void hold(void)
{
    for (int i = 0; i < LEAKS; i++) {
        leak();
        usleep(PAUSE_US);
    }
    for (int i = 0; i < LATE; i++)
        late();
    usleep(PAUSE_US);
    moment();
}

static pid_t hold_in_child(void)
{
    pid_t pid = fork();
    must(pid >= 0, "fork");
    if (pid == 0) {
        hold();
        exit(0);
    }
    return pid;
}

int main(int argc, char **argv)
{
    const char *how = argc == 2 ? argv[1] : "";
    pid_t child = 0;
    char line[8];
    if (strcmp(how, "waits") == 0)
        must(fgets(line, sizeof line, stdin) != NULL, "input");
    if (strcmp(how, "child") == 0)
        child = hold_in_child();
    if (strcmp(how, "busy") == 0)
        must(pthread_create(&busy, NULL, be_busy, NULL) == 0, "thread");
    hold();
    atomic_store(&done, true);
    if (strcmp(how, "busy") == 0)
        must(pthread_join(busy, NULL) == 0, "join");
    if (child > 0)
        must(waitpid(child, NULL, 0) == child, "wait");
    printf("in_time=%d\n", atomic_load(&in_time));
    must(fflush(stdout) == 0, "flush");
    if (strcmp(how, "waits") == 0)
        must(fgets(line, sizeof line, stdin) != NULL, "input");
    return 3;
}
