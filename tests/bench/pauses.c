// How long threads stand still, as they themselves see it: each takes the time again and again and
// keeps the longest gap.
//     pauses idle|busy THREADS
// idle: a thread sleeps 200 us each time; busy: it never does. Prints "ready", and for each line of
// standard input the longest gap of all threads since the line before, in microseconds.
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { MOST = 64, SLEEP_NS = 200000 };

static atomic_ullong longest[MOST];
static bool busy;

static uint64_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * 1000000000 + (uint64_t)time.tv_nsec;
}

static void *watch(void *argument)
{
    atomic_ullong *mine = argument;
    const struct timespec pause = {0, SLEEP_NS};
    for (uint64_t last = now();;) {
        if (!busy)
            nanosleep(&pause, NULL);
        const uint64_t time = now();
        const uint64_t gap = time - last - (busy || time - last < SLEEP_NS ? 0 : SLEEP_NS);
        last = time;
        if (gap > atomic_load_explicit(mine, memory_order_relaxed))
            atomic_store(mine, gap);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    char line[16];
    if (argc != 3)
        return 2;
    busy = strcmp(argv[1], "busy") == 0;
    const int threads = (int)strtol(argv[2], NULL, 10);
    for (int i = 0; i < threads && i < MOST; i++) {
        pthread_t thread;
        if (pthread_create(&thread, NULL, watch, &longest[i]) != 0)
            return 1;
    }
    puts("ready");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin)) {
        uint64_t most = 0;
        for (int i = 0; i < threads && i < MOST; i++) {
            const uint64_t gap = atomic_exchange(&longest[i], 0);
            most = gap > most ? gap : most;
        }
        printf("%.1f\n", (double)most / 1000);
        fflush(stdout);
    }
    return 0;
}
