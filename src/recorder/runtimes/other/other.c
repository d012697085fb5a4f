// See other.h. Where their modules lie: ruby -e 'puts $:' and Lua's package.cpath.
#include "recorder/runtimes/other/other.h"

#include <stdatomic.h>
#include <string.h>

#include "recorder/core/loader.h"
#include "recorder/runtimes/native.h"

static atomic_bool ruby_there, lua_there;

// /usr/lib/ruby/vendor_ruby/3.1.0/sqlite3/sqlite3_native.so, .../gems/sqlite3-2.0/lib/..., libruby
static bool is_ruby_module(const struct module *module)
{
    return strstr(module->path, "/ruby/") || strstr(module->path, "/gems/") ||
           strstr(module->path, "/libruby");
}

// /usr/lib/x86_64-linux-gnu/lua/5.4/luasql/sqlite3.so
static bool is_lua_module(const struct module *module)
{
    return strstr(module->path, "/lua/") || strstr(module->path, "/liblua");
}

static struct native_modules ruby_modules = {.is_own = is_ruby_module};
static struct native_modules lua_modules = {.is_own = is_lua_module};

static enum runtime_closer ruby_closer(const struct runtime_call *call)
{
    return native_is_own(&ruby_modules, call->caller) ? RUNTIME_UNKNOWN : RUNTIME_NOT_MINE;
}

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

static void ruby_start(void)
{
    const char *version = loader_symbol(RTLD_DEFAULT, "ruby_version"); // "3.1.2"
    if (!version || !loader_symbol(RTLD_DEFAULT, "rb_define_method"))
        return;
    const bool read = version[0] >= '0' && version[0] <= '9' && version[1] == '.' &&
                      version[2] >= '0' && version[2] <= '9';
    find(&ruby_there, &ruby_runtime, TRACE_RUBY, read ? (unsigned)(version[0] - '0') : 0,
         read ? (unsigned)(version[2] - '0') : 0);
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

static bool ruby_is_found(void)
{
    return atomic_load(&ruby_there);
}

static bool lua_is_found(void)
{
    return atomic_load(&lua_there);
}

static void ruby_leave(void)
{
    runtime_part(&ruby_runtime);
    atomic_store(&ruby_there, false);
}

static void lua_leave(void)
{
    runtime_part(&lua_runtime);
    atomic_store(&lua_there, false);
}

const struct runtime ruby_runtime = {
    .name = "ruby",
    .start = ruby_start,
    .found = ruby_is_found,
    .closer = ruby_closer,
    .leave = ruby_leave,
};

const struct runtime lua_runtime = {
    .name = "lua",
    .start = lua_start,
    .found = lua_is_found,
    .closer = lua_closer,
    .leave = lua_leave,
};
