// A lock: a word, taken by compare-and-swap, waited for in the kernel (futex).
//
// Not a pthread_mutex: the program may have put its own pthread functions in front of libc's
// (thread sanitizers, lock profilers), and the recorder takes several locks in each traced call.
// The three states are those of U. Drepper, "Futexes Are Tricky" (2011), section 6. Not recursive,
// no cancellation point, errno may change.
#ifndef UNCLOSED_TRACE_LOCK_H
#define UNCLOSED_TRACE_LOCK_H

#include <linux/futex.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

struct lock {
    _Atomic uint32_t state; // 0 free, 1 taken, 2 taken and waited for
};
#define LOCK_INITIALIZER                                                                           \
    {                                                                                              \
        0                                                                                          \
    }

#if defined(__x86_64__)
#define LOCK_PAUSE() __builtin_ia32_pause()
#else
#define LOCK_PAUSE() __asm__ volatile("yield" ::: "memory")
#endif

static inline void lock_init(struct lock *lock)
{
    atomic_store(&lock->state, 0);
}

static inline void lock_take(struct lock *lock)
{
    enum { SPINS = 100 }; // what is done under a lock takes less than a switch to another thread
    for (int i = 0; i < SPINS; i++) {
        uint32_t free = 0;
        if (__builtin_expect(atomic_compare_exchange_strong(&lock->state, &free, 1), 1))
            return;
        while (i++ < SPINS && atomic_load_explicit(&lock->state, memory_order_relaxed) != 0)
            LOCK_PAUSE();
    }
    while (atomic_exchange(&lock->state, 2) != 0)
        (void)syscall(SYS_futex, &lock->state, FUTEX_WAIT_PRIVATE, 2, (void *)0, (void *)0, 0);
}

static inline void lock_give(struct lock *lock)
{
    if (__builtin_expect(atomic_exchange(&lock->state, 0) == 2, 0))
        (void)syscall(SYS_futex, &lock->state, FUTEX_WAKE_PRIVATE, 1, (void *)0, (void *)0, 0);
}

#endif
