// See ends.h. pidfds, and inotify on the journal, in one epoll descriptor.
#include "cli/run/ends.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/run/journal.h"
#include "trace/clock.h"
#include "trace/proc.h"

enum { FOLLOWED_MOST = 400 }; // descriptors; the usual limit is 1024

struct followed { // a process that writes a trace
    struct followed *next;
    int fd;               // pidfd
    uint32_t pid;         // as the journal has it
    bool executes;        // was about to run another program, so its trace may end before it does
    uint64_t start_ticks; // when the process began
    char path[];          // of the trace
};

struct ends {
    const struct run *run;
    struct followed *followed;
    size_t count;
    off_t read;  // of the journal
    int changes; // inotify
    int all;     // epoll
};

static struct followed **find(struct ends *ends, uint32_t pid)
{
    struct followed **at = &ends->followed;
    while (*at && (*at)->pid != pid)
        at = &(*at)->next;
    return at;
}

static void forget(struct ends *ends, struct followed **at)
{
    struct followed *gone = *at;
    if (!gone)
        return;
    *at = gone->next;
    ends->count--;
    (void)close(gone->fd);
    free(gone);
}

// Writes down that the process of a trace ended now, or no longer runs that program, unless the
// trace knows better.
static void note_end(const struct run *run, const struct followed *one)
{
    struct trace_header header;
    const int fd = run_trace_open(run, AT_FDCWD, one->path, O_RDWR, &header);
    if (fd < 0)
        return;
    // In another pid namespace the number stands for another process.
    if (header.ended == TRACE_ENDED_UNKNOWN && header.end_ns == 0 && header.pid == one->pid &&
        header.process_start_ticks == one->start_ticks) {
        const uint64_t now_ns = clock_now(CLOCK_MONOTONIC);
        (void)!pwrite(fd, &now_ns, sizeof now_ns, offsetof(struct trace_header, end_ns));
    }
    (void)close(fd);
}

// When a process began, in clock ticks; 0: it is not there.
static uint64_t start_of(uint32_t pid)
{
    char path[64];
    struct proc_stat stat;
    (void)snprintf(path, sizeof path, "/proc/%u/stat", pid);
    return proc_stat_read(path, &stat) && !proc_has_ended(&stat) ? stat.start_ticks : 0;
}

// The trace's header may not be written yet.
static void follow(struct ends *ends, uint32_t pid, const char *path)
{
    struct followed **old = find(ends, pid);
    if (*old) // a detach and an attach, or a trace that was damaged
        forget(ends, old);
    if (ends->count >= FOLLOWED_MOST)
        return;
    const int fd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0U);
    const uint64_t start_ticks = fd >= 0 ? start_of(pid) : 0;
    if (start_ticks == 0) {
        if (fd >= 0)
            (void)close(fd);
        return;
    }
    struct followed *one = malloc(sizeof *one + strlen(path) + 1);
    if (!one)
        cli_no_memory();
    *one = (struct followed){ends->followed, fd, pid, false, start_ticks};
    memcpy(one->path, path, strlen(path) + 1);
    ends->followed = one;
    ends->count++;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = one};
    (void)epoll_ctl(ends->all, EPOLL_CTL_ADD, fd, &event);
}

static void read_entry(const struct journal_entry *entry, void *data)
{
    struct ends *ends = data;
    if (entry->kind == JOURNAL_TRACE) {
        follow(ends, entry->pid, entry->text);
        return;
    }
    struct followed **at = find(ends, entry->pid);
    if (!*at)
        return;
    if (entry->kind == JOURNAL_EXEC)
        (*at)->executes = true;
    if (entry->kind == JOURNAL_PROCESS && (*at)->executes) { // it runs another program now
        note_end(ends->run, *at);
        forget(ends, at);
    }
}

static void drain(int fd)
{
    char events[4096];
    while (read(fd, events, sizeof events) > 0)
        continue;
}

static void note_death(struct ends *ends, struct followed *one)
{
    // It may have run a program since that tells us nothing, and the end of that is another one's.
    if (!one->executes)
        note_end(ends->run, one);
    forget(ends, find(ends, one->pid));
}

void ends_look(struct ends *ends)
{
    struct epoll_event events[64];
    if (!ends)
        return;
    drain(ends->changes);
    journal_read_new(ends->run->journal, &ends->read, read_entry, ends);
    int count = 0;
    do {
        count = epoll_wait(ends->all, events, sizeof events / sizeof events[0], 0);
        for (int i = 0; i < count; i++)
            if (events[i].data.ptr)
                note_death(ends, events[i].data.ptr);
            else
                drain(ends->changes);
    } while (count == sizeof events / sizeof events[0]);
}

struct ends *ends_new(const struct run *run)
{
    struct ends *ends = calloc(1, sizeof *ends);
    struct epoll_event event = {.events = EPOLLIN};
    if (!ends)
        cli_no_memory();
    ends->run = run;
    ends->changes = run->journal ? inotify_init1(IN_CLOEXEC | IN_NONBLOCK) : -1;
    ends->all = ends->changes >= 0 ? epoll_create1(EPOLL_CLOEXEC) : -1;
    if (ends->all >= 0 && inotify_add_watch(ends->changes, run->journal, IN_MODIFY) >= 0 &&
        epoll_ctl(ends->all, EPOLL_CTL_ADD, ends->changes, &event) == 0)
        return ends;
    if (ends->changes >= 0)
        (void)close(ends->changes);
    if (ends->all >= 0)
        (void)close(ends->all);
    free(ends);
    return NULL;
}

int ends_fd(const struct ends *ends)
{
    return ends ? ends->all : -1;
}

void ends_free(struct ends *ends)
{
    if (!ends)
        return;
    ends_look(ends);
    while (ends->followed)
        forget(ends, &ends->followed);
    (void)close(ends->all);
    (void)close(ends->changes);
    free(ends);
}
