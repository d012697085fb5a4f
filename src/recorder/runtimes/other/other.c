// See other.h. Where its modules lie: Lua's package.cpath.
#include "recorder/runtimes/other/other.h"

#include <stdatomic.h>
#include <string.h>

#include "recorder/core/loader.h"
#include "recorder/runtimes/native.h"

static atomic_bool lua_there;

// /usr/lib/x86_64-linux-gnu/lua/5.4/luasql/sqlite3.so
static bool is_lua_module(const struct module *module)
{
    return strstr(module->path, "/lua/") || strstr(module->path, "/liblua");
}

static struct native_modules lua_modules = {.is_own = is_lua_module};

static enum runtime_closer lua_closer(const struct runtime_call *call)
{
    return native_is_own(&lua_modules, call->caller) ? RUNTIME_UNKNOWN : RUNTIME_NOT_MINE;
}

static void find(atomic_bool *there, const struct runtime *runtime, enum trace_language language,
                 unsigned major, unsigned minor)
{
    runtime_say(language, TRACE_RUNTIME_BLIND, major, minor);
    atomic_store(there, true);
    runtime_join(runtime);
}

// The version by a function that it was the first to have.
static void lua_start(void)
{
    static const char *const first[] = {"lua_callk", "lua_rotate", "lua_newuserdatauv"};
    unsigned minor = 1;
    if (!loader_symbol(RTLD_DEFAULT, "lua_newstate"))
        return;
    for (unsigned i = 0; i < sizeof first / sizeof *first; i++)
        if (loader_symbol(RTLD_DEFAULT, first[i]))
            minor = i + 2;
    find(&lua_there, &lua_runtime, TRACE_LUA, 5, minor);
}

static bool lua_is_found(void)
{
    return atomic_load(&lua_there);
}

static void lua_leave(void)
{
    runtime_part(&lua_runtime);
    atomic_store(&lua_there, false);
}

const struct runtime lua_runtime = {
    .name = "lua",
    .start = lua_start,
    .found = lua_is_found,
    .closer = lua_closer,
    .leave = lua_leave,
};
