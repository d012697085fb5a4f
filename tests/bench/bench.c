// What is measured: loops 20 frames deep that print the CPU time of one turn, in nanoseconds.
//     bench pool THREADS TURNS     acquire + release of a mutex-guarded pool
//     bench sqlite 1 TURNS         sqlite3_open(":memory:") + sqlite3_close
//     bench unwind 1 TURNS         a bare unw_backtrace of the same stack
//     bench live 1 TURNS           TURNS handles of a fake pool are out at once; prints bytes of
//     memory
// CPU time, so that other work on the machine counts as little as possible.
#include <dlfcn.h>
#include <pthread.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "bench_pool.h"

enum { FRAMES = 20, OUTER_FRAMES = 3 }; // OUTER_FRAMES: of libc and main, around ours

static struct bench_pool *pool;
static int (*backtrace_)(void **, int);
static long turns;

static void turn_pool(void)
{
    void *item = bench_pool_get(pool);
    bench_pool_put(pool, item);
}

static void turn_sqlite(void)
{
    sqlite3 *db;
    if (sqlite3_open(":memory:", &db) != SQLITE_OK)
        abort();
    sqlite3_close(db);
}

static void turn_unwind(void)
{
    void *frames[64];
    if (backtrace_(frames, 64) < FRAMES)
        abort();
}

static __attribute__((noinline)) int deep(int depth, void (*turn)(void))
{
    if (depth > 0)
        return deep(depth - 1, turn) + depth;
    for (long i = 0; i < turns; i++)
        turn();
    return 0;
}

static void *run(void *turn)
{
    void (*function)(void);
    memcpy(&function, &turn, sizeof function);
    return (void *)(long)deep(FRAMES - OUTER_FRAMES, function);
}

static double cpu_seconds(void)
{
    struct timespec now;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
    return (double)now.tv_sec + 1e-9 * (double)now.tv_nsec;
}

static void measure(void (*turn)(void), int threads)
{
    enum { MOST = 64 };
    pthread_t id[MOST];
    void *function;
    memcpy(&function, &turn, sizeof function);
    long wanted = turns;
    turns = wanted / 100 + 1; // warm
    run(function);
    turns = wanted;
    double before = cpu_seconds();
    for (int i = 0; i < threads && i < MOST; i++)
        if (pthread_create(&id[i], NULL, run, function) != 0)
            abort();
    for (int i = 0; i < threads && i < MOST; i++)
        pthread_join(id[i], NULL);
    printf("%.2f\n", (cpu_seconds() - before) * 1e9 / (double)turns / threads);
}

static long resident_bytes(void)
{
    long pages = 0, resident = 0;
    FILE *file = fopen("/proc/self/statm", "r");
    if (!file || fscanf(file, "%ld %ld", &pages, &resident) != 2)
        abort();
    fclose(file);
    return resident * sysconf(_SC_PAGESIZE);
}

// Handles are numbers: the pool gives out what was put in, and costs no memory of its own.
static void live(void)
{
    bench_pool_put(pool, bench_pool_get(pool));
    long before = resident_bytes();
    for (long i = 1; i <= turns; i++) {
        bench_pool_put(pool, (void *)(i << 4)); // a release of something unknown ...
        bench_pool_get(pool);                   // ... comes back as a handle of its own
    }
    printf("%.2f\n", (double)(resident_bytes() - before) / (double)turns);
}

int main(int argc, char **argv)
{
    if (argc != 4)
        return 2;
    turns = atol(argv[3]);
    pool = bench_pool_new();
    void *item = bench_pool_get(pool); // room for one more in `live`
    if (strcmp(argv[1], "pool") == 0) {
        measure(turn_pool, atoi(argv[2]));
    } else if (strcmp(argv[1], "sqlite") == 0) {
        measure(turn_sqlite, atoi(argv[2]));
    } else if (strcmp(argv[1], "live") == 0) {
        live();
    } else {
        void *unwind = dlopen("libunwind.so.8", RTLD_NOW | RTLD_LOCAL);
        void *found = unwind ? dlsym(unwind, "unw_backtrace") : NULL;
        if (!found)
            abort();
        memcpy(&backtrace_, &found, sizeof backtrace_);
        measure(turn_unwind, atoi(argv[2]));
    }
    free(item);
    return 0;
}
