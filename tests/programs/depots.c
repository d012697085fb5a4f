// Uses the pool of pool/depot.h in every shape, one scenario each, named on the command line.
//
// Usage: depots SCENARIO...; prints what the pool itself counted, and the results that a careless
// wrapper would have changed.
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdbool.h>
#include <string.h>
#include <sys/wait.h>

#include "counts.h"
#include "pool/depot.h"

#define SCENARIO static __attribute__((noinline)) void

SCENARIO result(struct depot *depot)
{
    struct part *kept = depot_get(depot); // site: result kept
    for (int i = 0; i < 10; i++) {
        struct part *part = depot_get(depot);
        depot_put(part);
    }
    printf("kept=%d\n", kept != NULL);
}

SCENARIO out_parameter(struct depot *depot)
{
    struct part *kept, *part;
    must(depot_take(depot, &kept) == 0, "take"); // site: out kept
    for (int i = 0; i < 10; i++) {
        must(depot_take(depot, &part) == 0, "take");
        must(depot_return(depot, part) == 0, "return");
    }
}

SCENARIO by_reference(struct depot *depot)
{
    for (int i = 0; i < 6; i++) {
        struct part *part = depot_get(depot);
        depot_put_reference(&part);
        must(part == NULL, "reference is cleared");
    }
}

// Handed to the wrong pool: refused, still out, and given back properly later.
SCENARIO refused(struct depot *depot)
{
    struct depot *other = depot_create("other", 1);
    struct part *part = depot_get(depot);
    must(depot_return(other, part) == -1, "wrong depot");
    must(depot_return(depot, part) == 0, "right depot");
}

SCENARIO exhausted(struct depot *depot)
{
    struct part *part[4];
    for (int i = 0; i < 4; i++)
        must(depot_take(depot, &part[i]) == 0, "take"); // site: exhausted holders
    struct part *none;
    for (int i = 0; i < 3; i++)
        must(depot_take(depot, &none) == -1, "take from an empty depot"); // site: exhausted victim
    for (int i = 0; i < 4; i++)
        depot_put(part[i]);
}

static void *return_later(void *part)
{
    usleep(300000);
    depot_put(part);
    return NULL;
}

SCENARIO waits(struct depot *depot)
{
    struct part *part[4], *waited;
    pthread_t thread;
    for (int i = 0; i < 4; i++)
        must(depot_take(depot, &part[i]) == 0, "take");
    must(pthread_create(&thread, NULL, return_later, part[0]) == 0, "thread");
    must(depot_take_wait(depot, &waited, 5000) == 0, "wait");
    pthread_join(thread, NULL);
    must(depot_take_wait(depot, &part[0], 100) == ETIMEDOUT, "wait in vain");
    depot_put(waited);
    for (int i = 1; i < 4; i++)
        depot_put(part[i]);
}

SCENARIO nested(struct depot *depot)
{
    for (int i = 0; i < 7; i++) {
        struct part *part = depot_get_nested(depot);
        must(depot_return_nested(depot, part) == 0, "return");
    }
    struct part *kept = depot_get_nested(depot); // site: nested kept
    printf("kept=%d\n", kept != NULL);
}

SCENARIO dropped(struct depot *depot)
{
    for (int i = 0; i < 5; i++)
        depot_drop(depot, depot_get(depot));
}

SCENARIO registers(struct depot *depot)
{
    struct part *part[4] = {0};
    char text[80];
    part[0] = depot_get_timed(depot, 0.25, 2.0);
    int status = depot_take_long(depot, &part[1], 3, 4, 5, 6, 7, 8, 9.0);
    depot_take_format(depot, &part[2], text, sizeof text, "%d %.3f %s %g %ld %Lf", 1, 2.5, "three",
                      4e10, 5L, 6.5L);
    printf("timed=%d long=%d format=%s\n", part[0] != NULL, status, text);
    double price = depot_take_priced(depot, &part[3], 19.5f);
    printf("price=%.2f\n", price);
    for (int i = 0; i < 4; i++)
        if (part[i] != NULL)
            depot_put(part[i]);
    struct part_and_serial pair = depot_get_pair(depot);
    printf("serial=%ld\n", pair.serial);
    depot_put(pair.part);
}

SCENARIO errno_kept(struct depot *depot)
{
    errno = 0;
    struct part *part = depot_get(depot);
    int after_get = errno;
    depot_put(part);
    int after_put = errno;
    errno = 815;
    must(depot_take(depot, &part) == 0, "take");
    int after_take = errno;
    depot_put(part);
    printf("errno=%d,%d,%d\n", after_get, after_put, after_take);
}

SCENARIO named(struct depot *depot)
{
    struct part *part;
    (void)depot;
    for (int i = 0; i < 3; i++) {
        must(depot_take_by_name("depot", &part) == 0, "take");
        depot_put(part);
    }
    must(depot_take_by_name("depot", &part) == 0, "take"); // site: named kept
}

SCENARIO released_twice(struct depot *depot)
{
    struct part *part = depot_get(depot);
    must(depot_return(depot, part) == 0, "return");
    depot_put(part); // site: released twice
    puts("twice");   // not a tail call, which would leave no frame of this function
}

// longjmp out of the acquire, over the wrapper: 20 times, then all must work as before.
SCENARIO jumps(struct depot *depot)
{
    struct part *part[4];
    jmp_buf target;
    volatile int jumps = 0;
    for (int i = 0; i < 4; i++)
        part[i] = depot_get(depot);
    depot_jump_when_empty(depot, &target);
    if (setjmp(target) != 0)
        jumps++;
    if (jumps < 20)
        depot_get_nested(depot);
    depot_jump_when_empty(depot, NULL);
    for (int i = 0; i < 4; i++)
        depot_put(part[i]);
    for (int i = 0; i < 5; i++)
        depot_put(depot_get(depot));
    struct part *kept = depot_get(depot); // site: kept after jumps
    printf("jumps=%d kept=%d\n", jumps, kept != NULL);
}

static void *wait_for_ever(void *depot)
{
    struct part *part;
    depot_take_wait(depot, &part, 60000);
    return NULL;
}

// Threads cancelled inside the acquire, under the wrapper.
SCENARIO cancelled(struct depot *depot)
{
    struct part *part[4];
    for (int i = 0; i < 4; i++)
        part[i] = depot_get(depot);
    int count = 0;
    for (int i = 0; i < 5; i++) {
        pthread_t thread;
        void *status;
        must(pthread_create(&thread, NULL, wait_for_ever, depot) == 0, "thread");
        usleep(20000);
        pthread_cancel(thread);
        pthread_join(thread, &status);
        count += status == PTHREAD_CANCELED;
    }
    for (int i = 0; i < 4; i++)
        depot_put(part[i]);
    struct part *kept = depot_get(depot); // site: kept after cancel
    printf("cancelled=%d kept=%d\n", count, kept != NULL);
}

static void *churn(void *depot)
{
    for (int i = 0; i < 2000; i++) {
        struct part *part;
        if (depot_take(depot, &part) == 0)
            depot_return(depot, part);
    }
    return NULL;
}

SCENARIO threads(struct depot *depot)
{
    pthread_t thread[8];
    for (int i = 0; i < 8; i++)
        must(pthread_create(&thread[i], NULL, churn, depot) == 0, "thread");
    for (int i = 0; i < 8; i++)
        pthread_join(thread[i], NULL);
}

// As many out at once as no real pool has; the recorder's tables have to grow with them.
SCENARIO crowd(struct depot *depot)
{
    (void)depot;
    enum { CROWD = 100000 };
    struct depot *large = depot_create("large", CROWD);
    struct part **parts = calloc(CROWD, sizeof *parts);
    must(parts != NULL, "calloc");
    for (int i = 0; i < CROWD; i++)
        parts[i] = depot_get(large); // site: crowd
    for (int i = 0; i < CROWD - 7; i++)
        depot_put(parts[i]);
    free(parts);
}

static void *named_thread(void *depot)
{
    static atomic_int number;
    char name[16];
    snprintf(name, sizeof name, "worker-%d", atomic_fetch_add(&number, 1));
    pthread_setname_np(pthread_self(), name);
    depot_put(depot_get(depot));
    return NULL;
}

// Thousands of short threads, each with a name of its own.
SCENARIO short_threads(struct depot *depot)
{
    for (int i = 0; i < 5000; i++) {
        pthread_t thread;
        must(pthread_create(&thread, NULL, named_thread, depot) == 0, "thread");
        pthread_join(thread, NULL);
    }
}

// fork while other threads take and give: the child must find no lock of a tracer taken for ever.
// It uses a depot of its own, because the locks of the parent's may be taken.
static atomic_bool stop_churning;
static void *churn_until_told(void *depot)
{
    while (!atomic_load(&stop_churning))
        churn(depot);
    return NULL;
}

SCENARIO forks(struct depot *depot)
{
    pthread_t thread[4];
    int good = 0;
    for (int i = 0; i < 4; i++)
        must(pthread_create(&thread[i], NULL, churn_until_told, depot) == 0, "thread");
    for (int i = 0; i < 40; i++) {
        pid_t pid = fork();
        if (pid == 0) {
            struct depot *own = depot_create("own", 2);
            for (int n = 0; n < 3; n++)
                depot_put(depot_get(own));
            depot_get(own); // site: kept in the child
            _exit(0);
        }
        int status = -1;
        must(waitpid(pid, &status, 0) == pid, "waitpid");
        good += status == 0;
    }
    atomic_store(&stop_churning, true);
    for (int i = 0; i < 4; i++)
        pthread_join(thread[i], NULL);
    printf("good=%d\n", good);
}

// Takes and gives back as it is told on standard input, until that ends.
SCENARIO commanded(struct depot *depot)
{
    struct part *parts[4] = {0};
    int held = 0;
    char word[16];
    while (scanf("%15s", word) == 1) {
        if (strcmp(word, "take") == 0 && held < 4)
            parts[held++] = depot_get(depot); // site: commanded
        else if (strcmp(word, "put") == 0 && held > 0)
            depot_put(parts[--held]);
        printf("held=%d\n", held);
        must(fflush(stdout) == 0, "flush");
    }
}

static const struct scenario {
    const char *name;
    void (*run)(struct depot *depot);
} scenarios[] = {
    {"result", result},
    {"out_parameter", out_parameter},
    {"by_reference", by_reference},
    {"refused", refused},
    {"exhausted", exhausted},
    {"waits", waits},
    {"nested", nested},
    {"dropped", dropped},
    {"registers", registers},
    {"errno_kept", errno_kept},
    {"named", named},
    {"released_twice", released_twice},
    {"jumps", jumps},
    {"cancelled", cancelled},
    {"threads", threads},
    {"forks", forks},
    {"commanded", commanded},
    {"crowd", crowd},
    {"short_threads", short_threads},
};

int main(int argc, char **argv)
{
    int run = 0;
    for (int i = 1; i < argc; i++)
        for (size_t s = 0; s < sizeof scenarios / sizeof scenarios[0]; s++)
            if (strcmp(argv[i], scenarios[s].name) == 0) {
                struct depot *depot = depot_create("depot", 4);
                scenarios[s].run(depot);
                printf("taken=%ld returned=%ld\n", depot_taken(depot), depot_returned(depot));
                run++;
            }
    return run == 0;
}
