// A pool in a C++ library whose functions throw: C linkage, so that call specs can name them.
#ifndef TESTS_POOL_THROWING_H
#define TESTS_POOL_THROWING_H

struct throwing_pool;
struct throwing_item;

extern "C" {
throwing_pool *throwing_pool_create(int size);
throwing_item *throwing_pool_take(throwing_pool *pool);            // std::length_error if empty
void throwing_pool_give(throwing_pool *pool, throwing_item *item); // std::logic_error if NULL
}

#endif
