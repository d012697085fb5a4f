// A service with a pool of its own and with SQLite linked into it, for test_patch.py.
//
// Usage: patched THREADS. Each line of standard input is answered with its counts: b lets the
// threads work, e has them rest (all are at rest when the answer comes), q ends it.
#include <pthread.h>
#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#define WHOLE __attribute__((noinline, noclone))

struct pool {
    atomic_long out;
};

static struct pool pool;
static atomic_long opened, closed, got, put, wrong;
static atomic_int working, resting, ending;

WHOLE void *patched_get(struct pool *from)
{
    from->out++;
    got++;
    return malloc(16);
}

WHOLE int patched_put(struct pool *to, void *handle)
{
    to->out--;
    put++;
    free(handle);
    return 0;
}

static void once(long round)
{
    sqlite3 *db = NULL;
    void *handle = patched_get(&pool);
    if (round % 16 == 0) {
        wrong += sqlite3_open(":memory:", &db) != SQLITE_OK;
        opened++;
        wrong += sqlite3_exec(db, "select 1", NULL, NULL, NULL) != SQLITE_OK;
        wrong += sqlite3_close(db) != SQLITE_OK;
        closed++;
    }
    wrong += patched_put(&pool, handle) != 0;
}

static void *work(void *data)
{
    long round = 0;
    resting++;
    while (!ending) {
        if (!working) {
            usleep(1000);
            continue;
        }
        resting--;
        while (working)
            once(round++);
        resting++;
    }
    return data;
}

int main(int argc, char **argv)
{
    int threads = argc > 1 ? atoi(argv[1]) : 1;
    char line[16];
    pthread_t thread;
    for (int i = 0; i < threads; i++)
        pthread_create(&thread, NULL, work, NULL);
    puts("ready");
    fflush(stdout);
    while (fgets(line, sizeof line, stdin) && line[0] != 'q') {
        working = line[0] == 'b';
        usleep(working ? 200000 : 1000);
        while (!working && resting < threads)
            usleep(1000);
        printf("opened=%ld closed=%ld got=%ld put=%ld\n", opened, closed, got, put);
        fflush(stdout);
    }
    printf("wrong=%ld out=%ld\n", wrong, pool.out);
    fflush(stdout);
    ending = 1;
    working = 0;
    return 0;
}
