// Acquires and releases where there is little room: how much of the stack do they need?
//
//     small_stacks coroutine|thread|signal [FIRST]     says used=BYTES
//     small_stacks stepping|stepping_signal            a handler at each instruction; says steps=N
//
// FIRST acquires are made before, with room. Stepping needs a processor with a trap flag.
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>

#include "pool/slots.h"

enum { AREA = 512 << 10, HANDLER_BYTES = 100 << 10, UNTOUCHED = 0x5a };

static struct slots *pool;
static char *area;
static ucontext_t scheduler, coroutine;

static __attribute__((noinline)) void acquire_and_release(void)
{
    void *slot = slots_get(pool);
    if (slot)
        slots_put(pool, slot);
}

static void with_sqlite(void)
{
    sqlite3 *db;
    acquire_and_release();
    if (sqlite3_open(":memory:", &db) != SQLITE_OK)
        puts("not opened");
    sqlite3_close(db);
}

static void body(void)
{
    acquire_and_release();
    swapcontext(&coroutine, &scheduler);
}

static void *thread_body(void *data)
{
    acquire_and_release();
    return data;
}

static void on_signal(int number)
{
    (void)number;
    acquire_and_release();
}

static void say_used(void)
{
    int free = 0;
    while (free < AREA && area[free] == UNTOUCHED)
        free++;
    printf("used=%d\n", AREA - free);
}

static void in_coroutine(void (*start)(void))
{
    getcontext(&coroutine);
    coroutine.uc_stack.ss_sp = area;
    coroutine.uc_stack.ss_size = AREA;
    makecontext(&coroutine, start, 0);
    swapcontext(&scheduler, &coroutine);
}

static void in_thread(void)
{
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    pthread_attr_setstack(&attributes, area, AREA);
    if (pthread_create(&thread, &attributes, thread_body, NULL) == 0)
        pthread_join(thread, NULL);
}

static void on_signal_stack(void (*handler)(int))
{
    const stack_t stack = {.ss_sp = area, .ss_size = AREA};
    struct sigaction action = {.sa_handler = handler, .sa_flags = SA_ONSTACK};
    sigaltstack(&stack, NULL);
    sigaction(SIGUSR1, &action, NULL);
    raise(SIGUSR1);
}

#ifdef __x86_64__
static volatile long steps;

// Uses a lot of whatever stack the thread is on.
static void on_step(int number)
{
    volatile char used[HANDLER_BYTES];
    (void)number;
    enum { PAGE = 4096 };
    for (int i = 0; i < HANDLER_BYTES; i += PAGE)
        used[i] = 1;
    steps += used[0];
}

static inline __attribute__((always_inline)) void set_trap_flag(unsigned long flag)
{
    __asm__ volatile("pushfq; andq $~0x100, (%%rsp); orq %0, (%%rsp); popfq" ::"r"(flag)
                     : "cc", "memory");
}

// Not the first times: unwinding blocks all signals, and what cannot be delivered then ends us.
static void stepping(int number)
{
    enum { TRAP_FLAG = 0x100, BEFORE = 64, TIMES = 70 };
    struct sigaction action = {.sa_handler = on_step};
    (void)number;
    sigaction(SIGTRAP, &action, NULL);
    for (int i = 0; i < TIMES; i++) {
        set_trap_flag(i < BEFORE ? 0 : TRAP_FLAG);
        acquire_and_release();
        set_trap_flag(0);
    }
    fprintf(stderr, "steps=%ld\n", steps);
}
#else
static void stepping(int number)
{
    (void)number;
}
#endif

int main(int count, char **arguments)
{
    const char *what = count > 1 ? arguments[1] : "";
    pool = slots_create(16);
    area = mmap(NULL, AREA, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    memset(area, UNTOUCHED, AREA);
    for (int i = 0; i < (count > 2 ? atoi(arguments[2]) : 0); i++)
        with_sqlite();
    if (strcmp(what, "coroutine") == 0)
        in_coroutine(body);
    else if (strcmp(what, "thread") == 0)
        in_thread();
    else if (strcmp(what, "signal") == 0)
        on_signal_stack(on_signal);
    else if (strcmp(what, "stepping") == 0)
        stepping(0);
    else if (strcmp(what, "stepping_signal") == 0)
        on_signal_stack(stepping);
    if (strncmp(what, "stepping", 8) != 0)
        say_used();
    return 0;
}
