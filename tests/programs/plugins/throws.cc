// A C++ plugin that throws, catches, and lets an exception pass through C++ and C frames: loaded
// into a C program which has neither libstdc++ nor libgcc_s, it brings its own unwinder.
#include <sqlite3.h>
#include <stdexcept>
#include <string>

#include "plugin.h"

namespace
{
struct Handle {
    sqlite3 *db = nullptr;
    int *closed;
    ~Handle()
    {
        if (sqlite3_close(db) == SQLITE_OK)
            ++*closed;
    }
};

__attribute__((noinline)) void open_and_throw(int i, int *opened, int *closed)
{
    Handle handle;
    handle.closed = closed;
    if (sqlite3_open(":memory:", &handle.db) == SQLITE_OK)
        ++*opened;
    if (i % 2)
        throw std::runtime_error("round " + std::to_string(i));
}
} // namespace

int plugin_run(int *opened, int *closed)
{
    int caught = 0;
    for (int i = 0; i < 10; i++) {
        try {
            open_and_throw(i, opened, closed);
        } catch (const std::exception &) {
            caught++;
        }
    }
    return caught == 5 ? 0 : 1;
}

const char *plugin_name(void)
{
    return "throws";
}
