// A victim: a program that does rounds of work on some threads and checks that nothing disturbs it.
// victim.c has the threads, another file the rounds.
#ifndef TESTS_ATTACH_VICTIM_H
#define TESTS_ATTACH_VICTIM_H

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>

struct worker {
    pthread_t thread;
    atomic_ulong rounds;
    unsigned int seed; // for rand_r
    int number;
};

struct mode {
    const char *name;
    void (*round)(struct worker *worker);
};

extern const struct mode victim_modes[]; // the last one has no name
extern volatile sig_atomic_t victim_ended;

// Called once, before the threads run.
void victim_prepare(void);

// Something is not as it must be: says so and ends the program with status 1.
void victim_fail(const char *what);

#endif
