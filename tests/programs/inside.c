// A pool inside the program itself, which no table leads to. Compiled by tests/e2e/test_inside.py
// in many ways; prints what it did, and results that depend on registers that a function may
// destroy, but that the compiler knows these functions leave alone (gcc -fipa-ra).
//
// Usage: inside [ROUNDS [THREADS]]
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>

#ifdef __clang__
#define WHOLE __attribute__((noinline))
#else
#define WHOLE __attribute__((noinline, noclone))
#endif

struct pool {
    atomic_long out;
    int failing;
};

static atomic_long gets, puts_;
static char handles[1 << 16];
struct pool inside_pool;

WHOLE void *inside_get(struct pool *pool)
{
    if (pool->failing)
        return NULL;
#ifdef OTHER // at the same place, but not the same
    pool->out -= 1;
    pool->out += 1;
#endif
    pool->out++;
    return &handles[(unsigned long)gets++ % sizeof handles];
}

WHOLE int inside_put(struct pool *pool, void *handle)
{
    if (handle == NULL)
        return -1;
    puts_++;
    pool->out--;
    return 0;
}

// Calls itself and inside_get: one session.
WHOLE void *inside_take(struct pool *pool, int depth)
{
    return depth > 0 ? inside_take(pool, depth - 1) : inside_get(pool);
}

// Too short for a patch.
WHOLE void inside_nothing(void)
{
}

// Many values that live over the calls.
WHOLE double registers(const long *in, const double *real, int rounds)
{
    long a = in[0], b = in[1], c = in[2], d = in[3], e = in[4], f = in[5], g = in[6];
    double p = real[0], q = real[1], r = real[2], s = real[3], t = real[4], u = real[5];
    for (int i = 0; i < rounds; i++) {
        void *handle = inside_get(&inside_pool);
        a += b;
        b ^= c + i;
        c += d;
        d ^= e;
        p += q * 0.5;
        q -= r;
        r += s * 0.25;
        if (i % 10 != 3)
            inside_put(&inside_pool, handle); // site: registers
        e += f;
        f ^= g;
        g += a;
        s -= t;
        t += u * 0.125;
        u -= p * 0.001;
    }
    return (double)(a ^ b ^ c ^ d ^ e ^ f ^ g) + p + q + r + s + t + u;
}

static void *work(void *rounds)
{
    for (long i = 0; i < (long)rounds; i++)
        inside_put(&inside_pool, inside_get(&inside_pool));
    return NULL;
}

#ifdef WITH_SQLITE
#include "counts.h"

static void databases(void)
{
    sqlite3 *db, *zombie;
    sqlite3_stmt *statement;
    for (int i = 0; i < 10; i++) {
        must((i % 2 ? sqlite3_open(":memory:", &db)
                    : sqlite3_open_v2(":memory:", &db, SQLITE_OPEN_READWRITE, NULL)) == SQLITE_OK,
             "open");
        counts_opened(db);
        if (i != 4)
            counts_closed(i % 2 ? sqlite3_close(db) : sqlite3_close_v2(db));
    }
    must(sqlite3_open(":memory:", &zombie) == SQLITE_OK, "open");
    counts_opened(zombie);
    must(sqlite3_prepare_v2(zombie, "select 1", -1, &statement, NULL) == SQLITE_OK, "prepare");
    counts_closed(sqlite3_close(zombie));    // refused
    counts_closed(sqlite3_close_v2(zombie)); // a zombie
    sqlite3_finalize(statement);             // and its end
    must(sqlite3_open("/nonexistent/x.db", &db) != SQLITE_OK, "open of nothing");
    counts_opened(db);
    counts_closed(sqlite3_close(db));
    counts_print();
}
#endif

int main(int argc, char **argv)
{
    const long in[7] = {3, 141, 5926, 53589, 793238, 4626433, 83279502};
    const double real[6] = {2.5, 71.25, 828.5, 1828.0, 45.75, 904.5};
    int rounds = argc > 1 ? atoi(argv[1]) : 100;
    int threads = argc > 2 ? atoi(argv[2]) : 0;
    pthread_t thread[64];
    printf("result=%.6f\n", registers(in, real, rounds));
    inside_put(&inside_pool, inside_take(&inside_pool, 5));
    inside_pool.failing = 1;
    printf("failed=%d\n", inside_put(&inside_pool, inside_get(&inside_pool)) == -1);
    inside_pool.failing = 0;
    inside_nothing();
    for (int i = 0; i < threads && i < 64; i++)
        pthread_create(&thread[i], NULL, work, (void *)(long)rounds);
    for (int i = 0; i < threads && i < 64; i++)
        pthread_join(thread[i], NULL);
#ifdef WITH_SQLITE
    databases();
#endif
    printf("gets=%ld puts=%ld out=%ld\n", gets, puts_, (long)inside_pool.out);
    return 0;
}
