// C++: sessions acquired in inlined functions and templates, exceptions that skip the close, and
// exceptions that pass through traced functions themselves (the throwing pool of pool/throwing.cc).
//
// Usage: exceptions SCENARIO...; prints the counts it kept itself.
#include <cstdio>
#include <cstring>
#include <functional>
#include <memory>
#include <sqlite3.h>
#include <stdexcept>
#include <string>
#include <unistd.h>
#include <vector>

#include "pool/throwing.h"

namespace
{

long opened, closed, taken, returned, caught;

class Database
{
  public:
    explicit Database(const std::string &file)
    {
        if (sqlite3_open(file.c_str(), &handle_) != SQLITE_OK) // site: class constructor
            throw std::runtime_error("open " + file);
        opened++;
    }
    ~Database()
    {
        if (handle_ != nullptr && sqlite3_close(handle_) == SQLITE_OK)
            closed++;
    }
    Database(const Database &) = delete;
    Database &operator=(const Database &) = delete;

    sqlite3 *leak()
    {
        sqlite3 *handle = handle_;
        handle_ = nullptr;
        return handle;
    }

  private:
    sqlite3 *handle_ = nullptr;
};

template <typename Entity> struct Repository {
    __attribute__((noinline)) sqlite3 *find(int id)
    {
        sqlite3 *db = nullptr;
        if (sqlite3_open(":memory:", &db) == SQLITE_OK) // site: template
            opened++;
        Entity::check(id); // throws for an odd one, and nothing closes
        if (sqlite3_close(db) == SQLITE_OK)
            closed++;
        return nullptr;
    }
};

struct Order {
    __attribute__((noinline)) static void check(int id)
    {
        if (id % 2 != 0)
            throw std::invalid_argument("odd order " + std::to_string(id));
    }
};

// Destructors run while an exception passes: all of them are closed.
void guarded()
{
    for (int i = 0; i < 20; i++) {
        try {
            Database first(":memory:"), second(":memory:");
            if (i % 2)
                throw std::runtime_error("skips nothing");
        } catch (const std::exception &) {
            caught++;
        }
    }
}

// The constructor throws: its handle, which a failed open gives too, is never closed.
void throwing_constructor()
{
    try {
        Database nowhere("/nowhere/at/all.db");
    } catch (const std::runtime_error &) {
        caught++;
        opened++;
    }
}

void templated()
{
    Repository<Order> repository;
    for (int i = 0; i < 10; i++) {
        try {
            repository.find(i);
        } catch (const std::invalid_argument &) {
            caught++;
        }
    }
}

inline __attribute__((always_inline)) sqlite3 *innermost_inline(const char *name)
{
    sqlite3 *db = nullptr;
    sqlite3_open(name, &db); // site: inlined
    return db;
}

inline __attribute__((always_inline)) sqlite3 *outer_inline(const char *name)
{
    return innermost_inline(name);
}

__attribute__((noinline)) void inlined()
{
    if (outer_inline(":memory:") != nullptr) // called from: inlined
        opened++;
}

void lambda()
{
    std::function<sqlite3 *()> open = [] {
        sqlite3 *db = nullptr;
        sqlite3_open(":memory:", &db); // site: lambda
        return db;
    };
    if (open() != nullptr)
        opened++;
}

void smart_pointer()
{
    auto close = [](sqlite3 *db) { closed += sqlite3_close(db) == SQLITE_OK; };
    std::vector<std::unique_ptr<sqlite3, decltype(close)>> held;
    for (int i = 0; i < 8; i++) {
        sqlite3 *db = nullptr;
        sqlite3_open(":memory:", &db);
        held.emplace_back(db, close);
        opened++;
    }
}

// The traced acquire itself throws, first with an empty pool and then again and again: what the
// recorder remembers of a call that never returned must not disturb those after it.
void through_wrappers()
{
    throwing_pool *pool = throwing_pool_create(3);
    std::vector<throwing_item *> held;
    for (int round = 0; round < 50; round++) {
        try {
            for (;;) {
                held.push_back(throwing_pool_take(pool)); // site: throwing pool
                taken++;
            }
        } catch (const std::length_error &) {
            caught++;
        }
        while (held.size() > (round == 49 ? 1u : 0u)) {
            throwing_pool_give(pool, held.back());
            held.pop_back();
            returned++;
        }
    }
    try {
        throwing_pool_give(pool, nullptr); // a release that throws
    } catch (const std::logic_error &) {
        caught++;
    }
    sqlite3 *db = nullptr;
    if (sqlite3_open(":memory:", &db) == SQLITE_OK) // site: after exceptions
        opened++;
}

const struct {
    const char *name;
    void (*run)();
} scenarios[] = {
    {"guarded", guarded},
    {"throwing_constructor", throwing_constructor},
    {"templated", templated},
    {"inlined", inlined},
    {"lambda", lambda},
    {"smart_pointer", smart_pointer},
    {"through_wrappers", through_wrappers},
};

} // namespace

int main(int argc, char **argv)
{
    int run = 0;
    for (int i = 1; i < argc; i++)
        for (const auto &scenario : scenarios)
            if (strcmp(argv[i], "all") == 0 || strcmp(argv[i], scenario.name) == 0) {
                scenario.run();
                run++;
            }
    std::printf("pid=%d opened=%ld closed=%ld taken=%ld returned=%ld caught=%ld\n",
                static_cast<int>(getpid()), opened, closed, taken, returned, caught);
    return run == 0;
}
