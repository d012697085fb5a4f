// What programs to attach to have in common: threads that do rounds of some work, which checks all
// the time that nothing was disturbed, and one more thread that watches over them.
//
//   PROGRAM MODE THREADS [SECONDS]
//
// Prints "ready" just before the threads are made, on SIGTERM or after SECONDS "ok ROUNDS", or
// "bad: ..." with exit status 1 as soon as anything is not as it must be. Every thread must make a
// round at least every HANG_SECONDS, else it is called hanging. What the rounds are: victim.h.
#include "victim.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { THREADS_MOST = 64, HANG_SECONDS = 5 };

volatile sig_atomic_t victim_ended;
static struct worker workers[THREADS_MOST];
static void (*round_of_mode)(struct worker *worker);

void victim_fail(const char *what)
{
    printf("bad: %s\n", what);
    fflush(stdout);
    _exit(1);
}

static void *work(void *argument)
{
    struct worker *worker = argument;
    while (victim_ended == 0) {
        round_of_mode(worker);
        atomic_fetch_add(&worker->rounds, 1);
    }
    return NULL;
}

static void end(int number)
{
    (void)number;
    victim_ended = 1;
}

static unsigned long total(int threads)
{
    unsigned long sum = 0;
    for (int i = 0; i < threads; i++)
        sum += atomic_load(&workers[i].rounds);
    return sum;
}

// Watches over the threads from one more of them.
static void watch(int threads, long seconds)
{
    unsigned long last[THREADS_MOST] = {0};
    const time_t finish = time(NULL) + seconds;
    while (victim_ended == 0 && (seconds == 0 || time(NULL) < finish)) {
        for (int s = 0; s < HANG_SECONDS * 10 && victim_ended == 0; s++)
            usleep(100000);
        for (int i = 0; i < threads && victim_ended == 0; i++) {
            const unsigned long now = atomic_load(&workers[i].rounds);
            if (now == last[i])
                victim_fail("a thread hangs");
            last[i] = now;
        }
    }
    victim_ended = 1;
}

int main(int argc, char **argv)
{
    if (argc < 3)
        return 2;
    for (const struct mode *mode = victim_modes; mode->name != NULL; mode++) {
        if (strcmp(argv[1], mode->name) == 0)
            round_of_mode = mode->round;
    }
    if (round_of_mode == NULL)
        return 2;
    const int threads = (int)strtol(argv[2], NULL, 10);
    signal(SIGTERM, end);
    victim_prepare();
    for (int i = 0; i < threads; i++) {
        workers[i].number = i;
        workers[i].seed = (unsigned int)i + 1;
    }
    printf("ready\n");
    fflush(stdout);
    if (threads <= 1) { // no thread is ever made: glibc skips its locks
        work(&workers[0]);
    } else {
        for (int i = 0; i < threads; i++) {
            if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
                victim_fail("pthread_create failed");
        }
        watch(threads, argc > 3 ? strtol(argv[3], NULL, 10) : 0);
        for (int i = 0; i < threads; i++)
            pthread_join(workers[i].thread, NULL);
    }
    printf("ok %lu\n", total(threads > 1 ? threads : 1));
    return 0;
}
