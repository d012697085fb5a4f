// A pool in a shared library whose functions are called in every shape that a wrapper can spoil:
// with more arguments than registers, structs by value, an exception instead of a result, and a
// wait that ends only when it is told to.
#ifndef TESTS_ATTACH_SHAPES_H
#define TESTS_ATTACH_SHAPES_H

struct shapes_pool;

struct shapes_large { // goes on the stack
    long number[16];
    double fraction[4];
};

struct shapes_result { // comes back in memory that the caller gives
    void *item;
    long number[5];
};

extern "C" {
shapes_pool *shapes_create();
// NULL if an argument is not what it must be: a to r are 1 to 18, x is 0.5, y is 1.5.
void *shapes_get_many(shapes_pool *pool, long a, long b, long c, long d, long e, long f, long g,
                      long h, long i, long j, long k, double x, long l, long m, long n, long o,
                      long p, long q, long r, long double y);
// NULL if number[i] is not i, or fraction[i] is not i / 2.
void *shapes_get_struct(shapes_pool *pool, shapes_large large);
// item is NULL if seed is not 7; number[i] is seed + i.
shapes_result shapes_get_result(shapes_pool *pool, long seed);
void *shapes_get_or_throw(shapes_pool *pool, bool throws); // std::runtime_error
// Waits in it until shapes_open_gate; then as above.
void *shapes_get_slowly(shapes_pool *pool, bool throws);
void shapes_put(shapes_pool *pool, void *item);

void shapes_wait_at_gate();
void shapes_open_gate(); // for those who wait; closes again behind them
int shapes_waiting();
}

#endif
