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
#include <stdbool.h>
#include <stdint.h>
#include <sys/syscall.h>
#include <unistd.h>

// Locks have an order, and a debug build (the option lock_order) checks it at each take: a thread
// takes none that comes before one it holds. Each has a rank; the recorder's are in
// recorder/core/lock_order.h. LOCK_LAST is for a lock under which no other is taken.
#define LOCK_RANK(position) ((position)*4U)
#define LOCK_AGAIN 1U // a thread may take it again while it has it: a foreign lock
#define LOCK_MANY 2U // there are many of this rank; two at a time only between lock_order_all calls
enum { LOCK_POSITIONS = 32 };
#define LOCK_LAST LOCK_RANK(LOCK_POSITIONS - 2) // but for that of a signal handler

#ifdef LOCK_ORDER
// A lock of this rank is about to be taken at `place` (a literal), or was given back. Ends the
// process with a message that names both places if another one is held that comes after it.
// Async-signal-safe.
void lock_order_take(uint32_t rank, const char *place);
void lock_order_give(uint32_t rank);
void lock_order_all(bool taking);
#define LOCK_TEXT_(line) #line
#define LOCK_TEXT(line) LOCK_TEXT_(line)
#define LOCK_HERE __FILE__ ":" LOCK_TEXT(__LINE__)
#else
#define lock_order_take(rank, place) ((void)0)
#define lock_order_give(rank) ((void)0)
#define lock_order_all(taking) ((void)0)
#endif

struct lock {
    _Atomic uint32_t state; // 0 free, 1 taken, 2 taken and waited for
#ifdef LOCK_ORDER
    uint32_t rank;
#endif
};
#ifdef LOCK_ORDER
#define LOCK_OF(order)                                                                             \
    {                                                                                              \
        .rank = (order)                                                                            \
    }
#else
#define LOCK_OF(order)                                                                             \
    {                                                                                              \
        0                                                                                          \
    }
#endif

#if defined(__x86_64__)
#define LOCK_PAUSE() __builtin_ia32_pause()
#else
#define LOCK_PAUSE() __asm__ volatile("yield" ::: "memory")
#endif

// Nobody has it, whatever was before: in a forked child. The rank stays.
static inline void lock_init(struct lock *lock)
{
    atomic_store(&lock->state, 0);
}

// A lock in memory that was just made.
static inline void lock_make(struct lock *lock, uint32_t rank)
{
    (void)rank;
    lock_init(lock);
#ifdef LOCK_ORDER
    lock->rank = rank;
#endif
}

static inline void lock_wait(struct lock *lock)
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

#ifdef LOCK_ORDER
static inline void lock_take_at(struct lock *lock, const char *place)
{
    lock_order_take(lock->rank, place);
    lock_wait(lock);
}
#define lock_take(lock) lock_take_at(lock, LOCK_HERE)
#else
static inline void lock_take(struct lock *lock)
{
    lock_wait(lock);
}
#endif

// Never waits, and therefore in no order. false: it is taken. What has it gives it back by
// lock_give_tried.
static inline bool lock_try(struct lock *lock)
{
    uint32_t free = 0;
    return atomic_compare_exchange_strong(&lock->state, &free, 1);
}

static inline void lock_give_tried(struct lock *lock)
{
    if (__builtin_expect(atomic_exchange(&lock->state, 0) == 2, 0))
        (void)syscall(SYS_futex, &lock->state, FUTEX_WAKE_PRIVATE, 1, (void *)0, (void *)0, 0);
}

static inline void lock_give(struct lock *lock)
{
    lock_order_give(lock->rank);
    lock_give_tried(lock);
}

#endif
