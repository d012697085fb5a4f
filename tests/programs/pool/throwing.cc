// See throwing.h. Each function has an object with a destructor, so that unwinding has work to do.
#include "throwing.h"

#include <mutex>
#include <stdexcept>
#include <string>
#include <vector>

struct throwing_item {
    int number;
};

struct throwing_pool {
    std::mutex lock;
    std::vector<throwing_item *> idle;
};

throwing_pool *throwing_pool_create(int size)
{
    auto *pool = new throwing_pool;
    for (int i = 0; i < size; i++)
        pool->idle.push_back(new throwing_item{i});
    return pool;
}

throwing_item *throwing_pool_take(throwing_pool *pool)
{
    std::lock_guard<std::mutex> guard(pool->lock);
    std::string complaint = "the pool is empty, and this text is too long to be kept inside";
    if (pool->idle.empty())
        throw std::length_error(complaint);
    throwing_item *item = pool->idle.back();
    pool->idle.pop_back();
    return item;
}

void throwing_pool_give(throwing_pool *pool, throwing_item *item)
{
    std::lock_guard<std::mutex> guard(pool->lock);
    if (item == nullptr)
        throw std::logic_error("nothing to give back");
    pool->idle.push_back(item);
}
