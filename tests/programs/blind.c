// Code that no hook gets at: a pool that is inlined where it is used.
//
//     blind        takes 20 sessions and gives 15 back
#include <stdio.h>
#include <stdlib.h>

static void *volatile last;

static inline __attribute__((always_inline)) void *blind_get(void)
{
    last = malloc(16);
    return last;
}

static inline __attribute__((always_inline)) void blind_put(void *session)
{
    free(session);
    last = NULL;
}

static __attribute__((noinline)) void work(int number)
{
    void *session = blind_get();
    if (number % 4)
        blind_put(session);
}

int main(void)
{
    for (int i = 0; i < 20; i++)
        work(i);
    puts("gets=20 puts=15");
    return 0;
}
