// Qt: who closes a handle. See qt.h.
//
// QSqlDatabase keeps each connection under its name until removeDatabase. What is left is closed
// when the application object goes, or by a destructor of Qt's own that runs at exit: nothing but
// Qt is on the stack between that and the driver then. With code of the program there, the program
// closes. Frames are native ones.
#include "recorder/runtimes/qt/qt.h"

#include <stdatomic.h>
#include <string.h>

#include "recorder/core/loader.h"
#include "recorder/runtimes/native.h"
#include "recorder/stacks/capture.h"
#include "recorder/stacks/place.h"

static atomic_bool found;

// What the end of the application goes through.
static const char *const names[] = {
    "exit",
    "_Z21qt_call_post_routinesv", // qt_call_post_routines()
    "_ZN16QCoreApplicationD1Ev",  // QCoreApplication::~QCoreApplication(), two names of one
    "_ZN16QCoreApplicationD2Ev",
};
enum { ENDS = sizeof names / sizeof *names };
static struct native_function ends[ENDS];

static bool begins(const char *text, const char *with)
{
    return strncmp(text, with, strlen(with)) == 0;
}

// .../qt5/plugins/sqldrivers/libqsqlite.so, libqsqlpsql.so, libqsqlmysql.so
static bool is_driver(const struct module *module)
{
    return begins(base_name(module->path), "libqsql");
}

// Qt and what it runs on at exit: libQt5Sql.so.5, libQt6Core.so.6, libc.so.6.
static bool is_below_qt(const struct module *module)
{
    const char *name = base_name(module->path);
    return is_driver(module) || begins(name, "libQt") || begins(name, "libc.so") ||
           begins(name, "libc-") || begins(name, "ld-linux") || begins(name, "ld-2");
}

static struct native_modules drivers = {.is_own = is_driver};
static struct native_modules below_qt = {.is_own = is_below_qt};

static bool is_end(uint64_t address)
{
    for (int i = 0; i < ENDS; i++)
        if (native_is_in(address, &ends[i]))
            return true;
    return false;
}

static enum runtime_closer qt_closer(const struct runtime_call *call)
{
    struct stack stack;
    if (!native_is_own(&drivers, call->caller))
        return RUNTIME_NOT_MINE;
    stack_native_from(call->origin, &stack);
    bool code = false;
    for (uint32_t i = 0; i < stack.count; i++) {
        if (is_end(stack.frames[i]))
            return code ? RUNTIME_CODE_AT_EXIT : RUNTIME_END;
        code |= !native_is_own(&below_qt, (const void *)(stack.frames[i] - 1)); // NOLINT
    }
    return RUNTIME_CODE;
}

static void qt_start(void)
{
    // QSqlDatabase::removeDatabase(QString const &), the same in Qt 5 and 6
    if (!loader_symbol(RTLD_DEFAULT, "_ZN12QSqlDatabase14removeDatabaseERK7QString"))
        return;
    for (int i = 0; i < ENDS; i++)
        ends[i] = native_function(names[i]);
    atomic_store(&found, true);
    runtime_join(&qt_runtime);
}

static bool qt_is_found(void)
{
    return atomic_load(&found);
}

static void qt_leave(void)
{
    runtime_part(&qt_runtime);
    atomic_store(&found, false);
}

const struct runtime qt_runtime = {
    .name = "qt",
    .start = qt_start,
    .found = qt_is_found,
    .closer = qt_closer,
    .leave = qt_leave,
};
