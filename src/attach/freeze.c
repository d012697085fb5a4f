// See freeze.h.
#include "attach/freeze.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "attach/process.h"

static bool is_known(const struct freeze *freeze, pid_t tid)
{
    for (size_t i = 0; i < freeze->count; i++)
        if (freeze->threads[i]->tid == tid)
            return true;
    return false;
}

// Result: 1 if the thread has been asked to stop, 0 if it has ended, or -errno.
static int add_thread(struct freeze *freeze, pid_t tid)
{
    const char state = process_state(freeze->target->pid, tid);
    if (state == 0 || state == 'Z' || state == 'X')
        return 0;
    if (freeze->count == freeze->room) {
        const size_t room = freeze->room ? 2 * freeze->room : 64;
        struct tracee **grown = reallocarray(freeze->threads, room, sizeof *grown);
        if (!grown)
            return -ENOMEM;
        freeze->threads = grown;
        freeze->room = room;
    }
    struct tracee *thread = calloc(1, sizeof *thread);
    if (!thread)
        return -ENOMEM;
    thread->target = freeze->target;
    thread->tid = tid;
    const int error = tracee_seize(thread);
    if (error != 0) {
        free(thread);
        return error == -ESRCH ? 0 : error;
    }
    freeze->threads[freeze->count++] = thread;
    return 1;
}

// Asks the threads that are not known yet to stop. Result: how many, or -errno.
static int add_threads(struct freeze *freeze)
{
    pid_t *tids = calloc(PROCESS_THREADS, sizeof *tids);
    int added = 0;
    if (!tids)
        return -ENOMEM;
    const int count = process_threads(freeze->target->pid, tids, PROCESS_THREADS);
    int error = count < 0 ? count : 0;
    for (int i = 0; i < count && error == 0; i++) {
        if (is_known(freeze, tids[i]))
            continue;
        const int result = add_thread(freeze, tids[i]);
        error = result < 0 ? result : 0;
        added += result > 0;
    }
    free(tids);
    return error != 0 ? error : added;
}

static int wait_for_all(struct freeze *freeze, uint64_t deadline)
{
    for (size_t i = 0; i < freeze->count; i++) {
        struct tracee *thread = freeze->threads[i];
        if (thread->stopped)
            continue;
        switch (tracee_wait(thread, deadline)) {
        case TRACEE_STOPPED:
        case TRACEE_GROUP_STOP:
            break;
        case TRACEE_GONE:
            free(thread);
            freeze->threads[i--] = freeze->threads[--freeze->count];
            break;
        default:
            return -ETIMEDOUT;
        }
    }
    return 0;
}

int freeze_begin(struct freeze *freeze, const struct target *target, uint64_t deadline)
{
    *freeze = (struct freeze){.target = target, .begin = process_now()};
    int added = 0;
    int error = 0;
    // A thread that runs may make another one; when all known ones are stopped there is none left
    // to do so, once the list has nothing new.
    do {
        added = add_threads(freeze);
        error = added < 0 ? added : wait_for_all(freeze, deadline);
    } while (error == 0 && added > 0);
    if (error == 0 && freeze->count == 0)
        error = -ESRCH;
    if (error != 0)
        (void)freeze_end(freeze);
    return error;
}

uint64_t freeze_end(struct freeze *freeze)
{
    for (size_t i = 0; i < freeze->count; i++)
        tracee_release(freeze->threads[i]);
    const uint64_t pause = process_now() - freeze->begin;
    for (size_t i = 0; i < freeze->count; i++)
        free(freeze->threads[i]);
    free(freeze->threads);
    *freeze = (struct freeze){0};
    return pause;
}
