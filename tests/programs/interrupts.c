// Acquires and releases where a tracer is least prepared: in signal handlers that interrupt it at
// any instruction, on alternate and coroutine stacks, and on coroutines that take turns inside one
// another's acquire.
//
// Usage: interrupts handlers|coroutines, jumping|cancelling TIMES; prints its own counts.
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

#include "pool/slots.h"

static struct slots *pool;
static atomic_long taken, returned, in_handler;

static void take_and_return(void)
{
    void *slot = slots_get(pool);
    if (slot == NULL)
        return;
    atomic_fetch_add(&taken, 1);
    slots_put(pool, slot);
    atomic_fetch_add(&returned, 1);
}

static void on_tick(int signal)
{
    (void)signal;
    take_and_return();
    atomic_fetch_add(&in_handler, 1);
}

static void *churn(void *data)
{
    char alternate[65536];
    stack_t stack = {.ss_sp = alternate, .ss_size = sizeof alternate};
    sigaltstack(&stack, NULL);
    for (int i = 0; i < 200000; i++)
        take_and_return();
    stack.ss_flags = SS_DISABLE;
    sigaltstack(&stack, NULL);
    return data;
}

static void handlers(void)
{
    struct sigaction action = {.sa_handler = on_tick, .sa_flags = SA_RESTART | SA_ONSTACK};
    struct itimerval timer = {{0, 200}, {0, 200}};
    pthread_t threads[2];
    sigaction(SIGALRM, &action, NULL);
    sigaction(SIGPROF, &action, NULL);
    setitimer(ITIMER_REAL, &timer, NULL);
    setitimer(ITIMER_PROF, &timer, NULL);
    for (int i = 0; i < 2; i++)
        if (pthread_create(&threads[i], NULL, churn, NULL) != 0)
            abort();
    for (int i = 0; i < 2; i++)
        pthread_join(threads[i], NULL);
    memset(&timer, 0, sizeof timer);
    setitimer(ITIMER_REAL, &timer, NULL);
    setitimer(ITIMER_PROF, &timer, NULL);
    printf("handled=%d\n", atomic_load(&in_handler) > 0);
}

enum { COROUTINES = 4, ROUNDS = 50 };
static ucontext_t scheduler, coroutine[COROUTINES];
static int running, finished;

static void yield(void *data)
{
    (void)data;
    swapcontext(&coroutine[running], &scheduler);
}

static void body(void)
{
    for (int i = 0; i < ROUNDS; i++) {
        void *slot = slots_get_with(pool, yield, NULL); // others acquire while this one does
        atomic_fetch_add(&taken, 1);
        yield(NULL);
        slots_put(pool, slot);
        atomic_fetch_add(&returned, 1);
    }
    void *kept = slots_get(pool); // site: coroutine
    atomic_fetch_add(&taken, kept != NULL);
    finished++;
    swapcontext(&coroutine[running], &scheduler);
}

static void coroutines(void)
{
    for (int i = 0; i < COROUTINES; i++) {
        getcontext(&coroutine[i]);
        coroutine[i].uc_stack.ss_sp = malloc(32768);
        coroutine[i].uc_stack.ss_size = 32768;
        makecontext(&coroutine[i], body, 0);
    }
    // The last to be resumed is not the first to return: order changes from round to round.
    unsigned int seed = 7;
    int done[COROUTINES] = {0};
    while (finished < COROUTINES) {
        running = rand_r(&seed) % COROUTINES;
        int before = finished;
        if (!done[running])
            swapcontext(&scheduler, &coroutine[running]);
        done[running] |= finished > before;
    }
}

// A handler that does not come back, at any instruction of an acquire or a release; other threads
// go on meanwhile. What it had just taken when it jumped is not known.
static sigjmp_buf start;
static volatile sig_atomic_t jumps;
static atomic_int enough;

static void take_and_return_or_clear(void)
{
    long before = atomic_load(&taken);
    take_and_return();
    if (atomic_load(&taken) == before) // what was out when a handler jumped is out for ever
        slots_clear(pool, 64);
}

static void on_jump(int signal)
{
    (void)signal;
    jumps++;
    siglongjmp(start, 1);
}

static void *others(void *data)
{
    while (!enough)
        take_and_return_or_clear();
    return data;
}

static void keep_four(void)
{
    for (int i = 0; i < 4; i++) {
        while (slots_get(pool) == NULL) // site: kept
            slots_clear(pool, 64);
        atomic_fetch_add(&taken, 1);
    }
}

static void jumping(int times)
{
    struct sigaction action = {.sa_handler = on_jump};
    pthread_t thread;
    sigset_t all, none;
    sigaction(SIGALRM, &action, NULL);
    sigfillset(&all);
    pthread_sigmask(SIG_BLOCK, &all, &none); // the other thread must not jump to our stack
    if (pthread_create(&thread, NULL, others, NULL) != 0)
        abort();
    pthread_sigmask(SIG_SETMASK, &none, NULL);
    while (jumps < times) {
        if (sigsetjmp(start, 1) != 0)
            continue;
        struct itimerval once = {{0, 0}, {0, 50 + jumps * 7 % 300}};
        setitimer(ITIMER_REAL, &once, NULL);
        for (;;)
            take_and_return_or_clear();
    }
    enough = 1;
    pthread_join(thread, NULL);
    keep_four();
}

static void *until_cancelled(void *data)
{
    pthread_setcanceltype(PTHREAD_CANCEL_ASYNCHRONOUS, NULL);
    for (;;)
        take_and_return_or_clear();
    return data;
}

static void cancelling(int times)
{
    for (int i = 0; i < times; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, until_cancelled, NULL) != 0)
            abort();
        usleep(100 + (useconds_t)i * 13 % 500);
        pthread_cancel(thread);
        pthread_join(thread, NULL);
    }
    keep_four();
}

int main(int argc, char **argv)
{
    pool = slots_create(16);
    if (argc > 1 && strcmp(argv[1], "handlers") == 0)
        handlers();
    else if (argc > 1 && strcmp(argv[1], "coroutines") == 0)
        coroutines();
    else if (argc > 2 && strcmp(argv[1], "jumping") == 0)
        jumping(atoi(argv[2]));
    else if (argc > 2 && strcmp(argv[1], "cancelling") == 0)
        cancelling(atoi(argv[2]));
    long out = atomic_load(&taken) - atomic_load(&returned);
    printf("pid=%d out=%ld\n", (int)getpid(), out);
    if (argc > 1 && strcmp(argv[1], "coroutines") == 0)
        printf("taken=%ld returned=%ld\n", atomic_load(&taken), atomic_load(&returned));
    else
        fprintf(stderr, "taken=%ld returned=%ld\n", atomic_load(&taken), atomic_load(&returned));
    return 0;
}
