// Faults in the mapped trace: see fault.h. Knows signals and where the trace is mapped.
#include "recorder/core/fault.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "recorder/core/lock_order.h"
#include "recorder/core/recorder.h"
#include "trace/lock.h"

static const struct trace_writer *watched[FAULT_TRACES];
static struct sigaction shown; // the default, as the program had left it
static struct lock taking = LOCK_OF(LOCK_FAULT);

void fault_watch(const struct trace_writer *writer)
{
    for (int i = 0; i < FAULT_TRACES; i++) {
        if (watched[i] == writer)
            return;
        if (!watched[i]) {
            watched[i] = writer;
            return;
        }
    }
}

static bool is_of_trace(const void *address)
{
    for (int i = 0; i < FAULT_TRACES; i++)
        if (watched[i] && trace_covers(watched[i], address))
            return true;
    return false;
}

// One thread puts memory there; another that has met the same fault waits, and tries again.
static void abandon(void)
{
    static struct lock abandoning = LOCK_OF(LOCK_ABANDONING);
    static atomic_uint abandoned; // generation, the file of which has been left
    lock_take(&abandoning);
    unsigned generation = atomic_load(&recorder_generation);
    if (atomic_load(&abandoned) != generation)
        for (int i = 0; i < FAULT_TRACES; i++)
            if (watched[i])
                trace_abandon(watched[i]);
    atomic_store(&abandoned, generation);
    lock_give(&abandoning);
    recorder_damage();
}

// Not ours: restores the default and repeats the signal. A fault found by the processor happens
// again by itself; a signal that was sent is sent again unchanged.
static void pass_on(siginfo_t *info)
{
    const struct sigaction standard = {.sa_handler = SIG_DFL};
    (void)sigaction(SIGBUS, &standard, NULL);
    bool again = info->si_code == BUS_ADRALN || info->si_code == BUS_ADRERR ||
                 info->si_code == BUS_OBJERR || info->si_code == BUS_MCEERR_AR;
    if (!again)
        (void)syscall(SYS_rt_tgsigqueueinfo, syscall(SYS_getpid), syscall(SYS_gettid), SIGBUS,
                      info);
}

static void on_bus(int number, siginfo_t *info, void *context)
{
    int kept = errno;
    (void)number;
    (void)context;
    if (info->si_code == BUS_ADRERR && is_of_trace(info->si_addr))
        abandon();
    else
        pass_on(info);
    errno = kept;
}

static bool is_ours(const struct sigaction *action)
{
    return action->sa_flags & SA_SIGINFO && action->sa_sigaction == on_bus;
}

void fault_take(void)
{
    struct sigaction now;
    struct sigaction ours = {.sa_sigaction = on_bus, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    // No handler of the program runs within ours, and jumps out of it.
    sigfillset(&ours.sa_mask);
    lock_take(&taking);
    if (sigaction(SIGBUS, NULL, &now) == 0 && !(now.sa_flags & SA_SIGINFO) &&
        now.sa_handler == SIG_DFL) {
        shown = now;
        (void)sigaction(SIGBUS, &ours, NULL);
    }
    lock_give(&taking);
}

void fault_give_back(void)
{
    struct sigaction now;
    lock_take(&taking);
    if (sigaction(SIGBUS, NULL, &now) == 0 && is_ours(&now))
        (void)sigaction(SIGBUS, &shown, NULL);
    lock_give(&taking);
}

void fault_hide(struct sigaction *action)
{
    if (is_ours(action))
        *action = shown;
}

void fault_hide_handler(uint64_t *handler)
{
    if (*handler == (uint64_t)(uintptr_t)on_bus)
        *handler = (uint64_t)(uintptr_t)SIG_DFL;
}
