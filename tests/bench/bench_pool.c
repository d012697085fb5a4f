// A mutex-guarded pool in a shared object of its own: what bench.c acquires from.
#include "bench_pool.h"

#include <pthread.h>
#include <stdlib.h>

enum { SIZE = 64 };

struct bench_pool {
    pthread_mutex_t lock;
    int count;
    void *item[SIZE];
};

struct bench_pool *bench_pool_new(void)
{
    struct bench_pool *pool = calloc(1, sizeof *pool);
    if (!pool || pthread_mutex_init(&pool->lock, NULL) != 0)
        abort();
    while (pool->count < SIZE)
        pool->item[pool->count++] = malloc(1);
    return pool;
}

void *bench_pool_get(struct bench_pool *pool)
{
    pthread_mutex_lock(&pool->lock);
    void *item = pool->count > 0 ? pool->item[--pool->count] : NULL;
    pthread_mutex_unlock(&pool->lock);
    return item;
}

void bench_pool_put(struct bench_pool *pool, void *item)
{
    pthread_mutex_lock(&pool->lock);
    pool->item[pool->count++] = item;
    pthread_mutex_unlock(&pool->lock);
}
