// Stopping, copying, letting go: see snapshot.h. All ptrace calls are made in a forked child
// (attach/child.h).
#include "stacks/snapshot.h"

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#include "attach/child.h"
#include "attach/process.h"
#include "attach/tracee.h"

#define MS UINT64_C(1000000)

enum {
    STOP_MS = 1000,      // until a thread is given up that does not stop
    ALL_STOPS_MS = 3000, // the same of all of them together
    LEAST_MS = 20,
    RED_ZONE = 128, // what functions may use below their stack pointer
};

struct snapshot *snapshot_new(size_t count)
{
    void *memory = mmap(NULL, count * sizeof(struct snapshot), PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory != MAP_FAILED ? memory : NULL;
}

void snapshot_free(struct snapshot *snapshots, size_t count)
{
    if (snapshots)
        munmap(snapshots, count * sizeof *snapshots);
}

// With the thread stopped.
static int copy_thread(const struct snapshot_source *source, struct snapshot *snapshot)
{
    int error = arch_read_registers(snapshot->tid, &snapshot->registers);
    if (error != 0)
        return error;
    if (!arch_is_native(&snapshot->registers))
        return -ENOEXEC;
    const uint64_t top = arch_stack_pointer(&snapshot->registers);
    snapshot->stack = top > RED_ZONE ? top - RED_ZONE : top;
    const uint64_t end = modules_mapping_end(source->modules, top);
    size_t bytes = sizeof snapshot->data;
    if (end > snapshot->stack && end - snapshot->stack < bytes)
        bytes = end - snapshot->stack; // libraries may lie right above the stack
    snapshot->stack_bytes =
        target_read_part(source->target, snapshot->stack, snapshot->data, bytes);
    if (source->python)
        python_snapshot_take(source->target, source->python,
                             arch_thread_pointer(&snapshot->registers), snapshot->own_tid,
                             &snapshot->python);
    return 0;
}

// Why a thread cannot be traced.
static int explain(pid_t pid, struct snapshot *snapshot, int error)
{
    snapshot->state = process_state(pid, snapshot->tid);
    if (snapshot->state == '\0' || snapshot->state == 'Z' || snapshot->state == 'X')
        return -ESRCH;
    const long tracer = process_number(pid, snapshot->tid, "TracerPid");
    if (tracer > 0 && tracer != getpid()) {
        snapshot->tracer = (pid_t)tracer;
        return -EBUSY;
    }
    return error;
}

static int take(const struct snapshot_source *source, struct snapshot *snapshot, uint64_t deadline)
{
    const struct target *target = source->target;
    static struct tracee tracee; // large
    tracee = (struct tracee){.target = target, .tid = snapshot->tid};
    const uint64_t begin = process_now();
    int error = tracee_seize(&tracee);
    if (error != 0)
        return explain(target->pid, snapshot, error);
    switch (tracee_wait(&tracee, deadline)) {
    case TRACEE_GONE:
        return -ESRCH;
    case TRACEE_TIMEOUT:
        explain(target->pid, snapshot, 0);
        return -ETIMEDOUT;
    default:
        break;
    }
    error = copy_thread(source, snapshot);
    tracee_release(&tracee);
    snapshot->paused_ns = process_now() - begin;
    return error;
}

struct work {
    const struct snapshot_source *source;
    struct snapshot *snapshots;
    size_t count;
};

static void take_all(void *data)
{
    const struct work *work = data;
    uint64_t left = ALL_STOPS_MS * MS;
    for (size_t i = 0; i < work->count; i++) {
        struct snapshot *snapshot = &work->snapshots[i];
        const uint64_t begin = process_now();
        uint64_t patience = left < STOP_MS * MS ? left : STOP_MS * MS;
        if (patience < LEAST_MS * MS)
            patience = LEAST_MS * MS;
        snapshot->error = take(work->source, snapshot, begin + patience);
        const uint64_t spent = process_now() - begin;
        if (snapshot->error == -ETIMEDOUT)
            left = spent < left ? left - spent : 0;
    }
}

int snapshot_take(const struct snapshot_source *source, struct snapshot *snapshots, size_t count,
                  struct failure *failure)
{
    struct work work = {.source = source, .snapshots = snapshots, .count = count};
    const struct child_work child = {
        .run = take_all, .data = &work, .purpose = "inspect threads"}; // their memory is shared
    for (size_t i = 0; i < count; i++)
        snapshots[i].error = -ECHILD;
    return child_run(&child, source->target->pid, failure);
}
