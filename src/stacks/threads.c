// Thread ids and when threads began: see threads.h. The files are described in proc(5).
#include "stacks/threads.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "attach/process.h"
#include "trace/clock.h"
#include "trace/proc.h"

static const uint64_t second_ns = 1000000000;

struct thread {
    pid_t tid;
    uint32_t own_tid;
};

struct threads {
    LIST(struct thread) list;
};

// "NSpid: 4711 12": the last one is that of the innermost namespace.
static uint32_t own_tid_of(pid_t pid, pid_t tid)
{
    char text[256];
    if (process_status(pid, tid, "NSpid", text, sizeof text) != 0)
        return (uint32_t)tid;
    const char *last = strrchr(text, '\t');
    return (uint32_t)strtoul(last ? last + 1 : text, NULL, 10);
}

struct threads *threads_read(struct arena *arena, pid_t pid)
{
    static pid_t tids[PROCESS_THREADS];
    struct threads *threads = arena_take(arena, sizeof *threads);
    const int count = process_threads(pid, tids, PROCESS_THREADS);
    for (int i = 0; i < count; i++)
        *LIST_ADD(arena, &threads->list) = (struct thread){tids[i], own_tid_of(pid, tids[i])};
    return threads;
}

pid_t threads_find(const struct threads *threads, uint32_t own_tid)
{
    for (size_t i = 0; i < threads->list.count; i++)
        if (threads->list.item[i].own_tid == own_tid)
            return threads->list.item[i].tid;
    return 0;
}

uint64_t threads_began(pid_t pid, pid_t tid)
{
    char path[64];
    struct proc_stat stat;
    snprintf(path, sizeof path, "/proc/%d/task/%d/stat", pid, tid);
    if (!proc_stat_read(path, &stat))
        return 0;
    // Ticks count from boot, with the time that the machine was suspended.
    const uint64_t since_boot = stat.start_ticks * (second_ns / (uint64_t)sysconf(_SC_CLK_TCK));
    const uint64_t suspended = clock_now(CLOCK_BOOTTIME) - clock_now(CLOCK_MONOTONIC);
    return since_boot > suspended ? since_boot - suspended : 1;
}
