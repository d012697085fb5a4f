// The loader's lock of its list: see list_lock.h. Knows the layout of glibc's mutexes, which is
// part of its ABI (programs have them in their memory), and how a recursive one is taken and given
// back (nptl/pthread_mutex_trylock.c, nptl/lowlevellock.c).
//
// Not by glibc's functions: the program may have put its own in front of them (thread sanitizers,
// lock profilers), and a child gives back what its parent took.
#include "recorder/core/list_lock.h"

#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "trace/clock.h"

enum {
    MOST_BYTES = 1 << 16, // of _rtld_global: 4336 in glibc 2.36
    CANDIDATES = 4,
    WAIT_NS = 200000000,
};

static pthread_mutex_t *lock;
static atomic_bool lost;

struct search {
    char *start;
    size_t bytes;
    pthread_mutex_t *found[CANDIDATES];
    unsigned held[CANDIDATES]; // how often, by this thread
    int count;
};

static unsigned held_here(const pthread_mutex_t *mutex)
{
    if (mutex->__data.__kind != PTHREAD_MUTEX_RECURSIVE_NP || mutex->__data.__lock == 0 ||
        mutex->__data.__owner != (int)syscall(SYS_gettid))
        return 0;
    return mutex->__data.__count;
}

static int look(struct dl_phdr_info *info, size_t size, void *data)
{
    struct search *search = data;
    (void)info;
    (void)size;
    // NOLINTNEXTLINE(cert-fio38-c): the size of a mutex, which the ABI fixes
    for (size_t at = 0; at + sizeof *lock <= search->bytes; at += sizeof(void *)) {
        pthread_mutex_t *mutex = (pthread_mutex_t *)(void *)(search->start + at);
        unsigned held = held_here(mutex);
        if (held == 0 || search->count == CANDIDATES)
            continue;
        search->found[search->count] = mutex;
        search->held[search->count++] = held;
    }
    return 1;
}

// Result: NULL where there is none, or more than one.
static pthread_mutex_t *given_back(const struct search *search)
{
    pthread_mutex_t *only = NULL;
    for (int i = 0; i < search->count; i++) {
        if (held_here(search->found[i]) != search->held[i] - 1)
            continue;
        if (only)
            return NULL;
        only = search->found[i];
    }
    return only;
}

void list_lock_find(void *global, size_t bytes, list_lock_each each)
{
    struct search search = {.start = global, .bytes = bytes};
    if (lock || bytes > MOST_BYTES)
        return;
    (void)each(look, &search);
    lock = given_back(&search);
}

// false: not within 0.2 s.
static bool wait_for(int *word)
{
    const struct timespec wait = {0, WAIT_NS};
    const uint64_t give_up = clock_now(CLOCK_MONOTONIC) + WAIT_NS;
    int free = 0;
    if (__atomic_compare_exchange_n(word, &free, 1, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
        return true;
    while (__atomic_exchange_n(word, 2, __ATOMIC_ACQUIRE) != 0) {
        if (clock_now(CLOCK_MONOTONIC) > give_up)
            return false; // it stays marked as waited for, which costs who has it a system call
        (void)syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, 2, &wait, NULL, 0);
    }
    return true;
}

bool list_lock_take(void)
{
    int tid = (int)syscall(SYS_gettid);
    if (!lock || atomic_load(&lost))
        return false;
    if (__atomic_load_n(&lock->__data.__owner, __ATOMIC_RELAXED) != tid) {
        if (!wait_for(&lock->__data.__lock))
            return false;
        lock->__data.__owner = tid;
        lock->__data.__nusers++;
    }
    lock->__data.__count++;
    return true;
}

void list_lock_give(void)
{
    if (--lock->__data.__count > 0)
        return;
    lock->__data.__owner = 0;
    lock->__data.__nusers--;
    if (__atomic_exchange_n(&lock->__data.__lock, 0, __ATOMIC_RELEASE) == 2)
        (void)syscall(SYS_futex, &lock->__data.__lock, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

void list_lock_forked(void)
{
    list_lock_give();
    if (lock->__data.__lock != 0) // it forked in a callback, and is not the owner here
        atomic_store(&lost, true);
}

static bool is_alive(int tid)
{
    return tid != 0 && (syscall(SYS_tgkill, getpid(), tid, 0) == 0 || errno != ESRCH);
}

void list_lock_look(void)
{
    enum { LOOKS = 100 }; // a thread of this process may be taking it
    if (!lock)
        return;
    for (int i = 0; i < LOOKS; i++) {
        if (__atomic_load_n(&lock->__data.__lock, __ATOMIC_RELAXED) == 0 ||
            is_alive(__atomic_load_n(&lock->__data.__owner, __ATOMIC_RELAXED)))
            return;
        (void)sched_yield();
    }
    atomic_store(&lost, true);
}

bool list_lock_is_lost(void)
{
    return atomic_load_explicit(&lost, memory_order_relaxed);
}
