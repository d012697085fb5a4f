// A pool to be measured; see bench_pool.c.
#ifndef BENCH_POOL_H
#define BENCH_POOL_H

struct bench_pool;
struct bench_pool *bench_pool_new(void);
void *bench_pool_get(struct bench_pool *pool);
void bench_pool_put(struct bench_pool *pool, void *item);

#endif
