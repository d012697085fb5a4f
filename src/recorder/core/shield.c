// Holding signals back: see shield.h.
//
// By system call: the program may have put its own function in front of libc's.
#include "recorder/core/shield.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "recorder/core/confined.h"

atomic_uint shield_needed;

#define BIT(number) (UINT64_C(1) << ((number)-1))
static const uint64_t held_back =
    ~(BIT(SIGSEGV) | BIT(SIGBUS) | BIT(SIGILL) | BIT(SIGFPE) | BIT(SIGTRAP) | BIT(SIGSYS) |
      UINT64_C(3) << 31); // and the two that glibc uses itself: 32 and 33

static void put_off_cancellation(struct shield *shield)
{
    int type;
    if (pthread_setcanceltype(PTHREAD_CANCEL_DEFERRED, &type) == 0 &&
        type == PTHREAD_CANCEL_ASYNCHRONOUS)
        shield->raised |= SHIELD_CANCEL;
}

void shield_hold_signals(struct shield *shield)
{
    uint64_t before;
    if (syscall(SYS_rt_sigprocmask, SIG_BLOCK, &held_back, &before, sizeof before) != 0)
        return;
    shield->mask = before;
    shield->raised |= SHIELD_SIGNALS;
}

void shield_raise(struct shield *shield)
{
    if (is_confined())
        return;
    int kept = errno;
    unsigned needed = atomic_load_explicit(&shield_needed, memory_order_relaxed);
    if (needed & SHIELD_SIGNALS)
        shield_hold_signals(shield);
    if (needed & SHIELD_CANCEL)
        put_off_cancellation(shield);
    errno = kept;
}

// The thread may not come back from either: the mark goes first, and each is the last of its kind.
void shield_lower(struct shield *shield)
{
    int kept = errno, type;
    const struct shield was = *shield;
    shield->raised = 0;
    errno = kept;
    if (was.raised & SHIELD_SIGNALS)
        (void)syscall(SYS_rt_sigprocmask, SIG_SETMASK, &was.mask, (void *)0, sizeof was.mask);
    if (was.raised & SHIELD_CANCEL)
        // NOLINTNEXTLINE(cert-pos47-c): as the program had it
        (void)pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, &type);
}
