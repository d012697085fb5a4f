// From thread ids to stacks: see stacks.h.
#include "stacks/stacks.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "attach/checks.h"
#include "stacks/modules.h"
#include "stacks/snapshot.h"
#include "stacks/threads.h"
#include "stacks/unwind.h"

struct look {
    struct arena *arena;
    struct now_process *process;
    struct target target;
    struct modules modules;
    struct python_remote python;
    bool has_python;
    struct snapshot *snapshots; // of the threads that live
    size_t snapshot_count;
};

static const char *problem_text(struct arena *arena, const struct snapshot *snapshot)
{
    switch (-snapshot->error) {
    case ESRCH:
        return "has ended";
    case EBUSY:
        return arena_format(arena, "is traced by process %d (a debugger or strace)",
                            snapshot->tracer);
    case ETIMEDOUT:
        return snapshot->state == 'D'
                   ? "cannot be stopped: it is in an uninterruptible sleep (state D)"
                   : "did not stop in time; the machine is too busy, try again";
    case ENOEXEC:
        return "runs code of another architecture";
    default:
        return arena_format(arena, "cannot be inspected: %s", strerror(-snapshot->error));
    }
}

static int open_target(struct look *look, struct failure *failure)
{
    const pid_t pid = look->process->pid;
    int error = target_open(&look->target, pid, failure);
    if (error == -EACCES || error == -EPERM)
        return checks_explain_denial(pid, -error, failure);
    if (error != 0)
        return error;
    error = modules_read(look->arena, &look->target, &look->modules);
    if (error != 0) {
        target_close(&look->target);
        return failure_set(failure, -error, "cannot read the memory map of process %d: %s", pid,
                           strerror(-error));
    }
    // Without the dynamic linker's list there are no symbols, and so no Python.
    struct failure ignored;
    look->has_python = target_load_modules(&look->target, &ignored) == 0 &&
                       python_remote_find(&look->target, &look->python);
    return 0;
}

// Asks for a snapshot of each thread that lives.
static void list_snapshots(struct look *look)
{
    const struct now_process *process = look->process;
    const struct threads *threads = threads_read(look->arena, process->pid);
    for (size_t i = 0; i < process->threads.count; i++) {
        struct now_thread *thread = &process->threads.item[i];
        const pid_t tid = threads_find(threads, thread->tid);
        if (tid == 0) {
            thread->problem = "has ended";
            continue;
        }
        thread->began_ns = threads_began(process->pid, tid);
        look->snapshots[look->snapshot_count].tid = tid;
        look->snapshots[look->snapshot_count++].own_tid = thread->tid;
    }
}

static void fill_in(struct look *look)
{
    struct unwinder *unwinder = unwinder_new(look->arena, &look->target, &look->modules);
    size_t next = 0;
    for (size_t i = 0; i < look->process->threads.count; i++) {
        struct now_thread *thread = &look->process->threads.item[i];
        if (thread->problem)
            continue;
        const struct snapshot *snapshot = &look->snapshots[next++];
        thread->paused_ns = snapshot->paused_ns;
        if (snapshot->error != 0) {
            thread->problem = problem_text(look->arena, snapshot);
            continue;
        }
        if (look->has_python)
            python_snapshot_name(look->arena, &look->target, &look->python, &snapshot->python,
                                 thread);
        if (unwinder)
            unwinder_add(unwinder, snapshot, thread);
    }
    unwinder_free(unwinder);
    look->process->languages = look->has_python;
    for (size_t i = 0; i < look->modules.list.count; i++) {
        const struct modules_entry *entry = &look->modules.list.item[i];
        *LIST_ADD(look->arena, &look->process->modules) =
            (struct now_module){entry->start, entry->end, entry->bias, entry->path};
    }
}

const char *stacks_look(struct arena *arena, struct now_process *process)
{
    struct look look = {.arena = arena, .process = process};
    struct failure failure = {0};
    const size_t count = process->threads.count;
    if (open_target(&look, &failure) != 0)
        return arena_text(arena, failure.text);
    look.snapshots = snapshot_new(count);
    if (look.snapshots) {
        list_snapshots(&look);
        const struct snapshot_source source = {&look.target, &look.modules,
                                               look.has_python ? &look.python : NULL};
        if (snapshot_take(&source, look.snapshots, look.snapshot_count, &failure) == 0)
            fill_in(&look);
        snapshot_free(look.snapshots, count);
    } else {
        failure_set(&failure, ENOMEM, "not enough memory to inspect %zu threads at once", count);
    }
    target_close(&look.target);
    return failure.error != 0 ? arena_text(arena, failure.text) : NULL;
}
