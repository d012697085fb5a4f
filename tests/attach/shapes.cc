// See shapes.h.
#include "shapes.h"

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <stdexcept>

struct shapes_pool {
    std::atomic<int> out{0};
};

namespace
{
std::mutex gate;
std::condition_variable changed;
int waiting;
unsigned long turn;

void *take(shapes_pool *pool)
{
    pool->out++;
    return new long(1);
}
} // namespace

shapes_pool *shapes_create()
{
    return new shapes_pool;
}

void *shapes_get_many(shapes_pool *pool, long a, long b, long c, long d, long e, long f, long g,
                      long h, long i, long j, long k, double x, long l, long m, long n, long o,
                      long p, long q, long r, long double y)
{
    const long all[] = {a, b, c, d, e, f, g, h, i, j, k, l, m, n, o, p, q, r};
    for (long at = 0; at < 18; at++) {
        if (all[at] != at + 1)
            return nullptr;
    }
    return x == 0.5 && y == 1.5L ? take(pool) : nullptr;
}

void *shapes_get_struct(shapes_pool *pool, shapes_large large)
{
    for (int i = 0; i < 16; i++) {
        if (large.number[i] != i)
            return nullptr;
    }
    for (int i = 0; i < 4; i++) {
        if (large.fraction[i] != i / 2.0)
            return nullptr;
    }
    return take(pool);
}

shapes_result shapes_get_result(shapes_pool *pool, long seed)
{
    shapes_result result{seed == 7 ? take(pool) : nullptr, {}};
    for (int i = 0; i < 5; i++)
        result.number[i] = seed + i;
    return result;
}

void *shapes_get_or_throw(shapes_pool *pool, bool throws)
{
    if (throws)
        throw std::runtime_error("asked for");
    return take(pool);
}

void shapes_wait_at_gate()
{
    std::unique_lock<std::mutex> lock(gate);
    const unsigned long mine = turn;
    waiting++;
    changed.wait(lock, [mine] { return turn != mine; });
    waiting--;
}

void *shapes_get_slowly(shapes_pool *pool, bool throws)
{
    shapes_wait_at_gate();
    if (throws)
        throw std::runtime_error("asked for");
    return take(pool);
}

void shapes_put(shapes_pool *pool, void *item)
{
    delete static_cast<long *>(item);
    pool->out--;
}

void shapes_open_gate()
{
    const std::lock_guard<std::mutex> lock(gate);
    turn++;
    changed.notify_all();
}

int shapes_waiting()
{
    const std::lock_guard<std::mutex> lock(gate);
    return waiting;
}
