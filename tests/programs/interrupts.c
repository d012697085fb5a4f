// Acquires and releases where a tracer is least prepared: in signal handlers that interrupt it at
// any instruction, on alternate and coroutine stacks, and on coroutines that take turns inside one
// another's acquire.
//
// Usage: interrupts handlers|coroutines; prints its own counts.
#include <pthread.h>
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

int main(int argc, char **argv)
{
    pool = slots_create(16);
    if (argc > 1 && strcmp(argv[1], "handlers") == 0)
        handlers();
    else if (argc > 1 && strcmp(argv[1], "coroutines") == 0)
        coroutines();
    long out = atomic_load(&taken) - atomic_load(&returned);
    printf("pid=%d out=%ld\n", (int)getpid(), out);
    if (argc > 1 && strcmp(argv[1], "coroutines") == 0)
        printf("taken=%ld returned=%ld\n", atomic_load(&taken), atomic_load(&returned));
    else
        fprintf(stderr, "taken=%ld returned=%ld\n", atomic_load(&taken), atomic_load(&returned));
    return 0;
}
