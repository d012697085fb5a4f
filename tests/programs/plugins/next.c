// A plugin that wraps functions of what it is linked to: RTLD_NEXT means "behind this plugin", in
// the scope it was opened in, and must find the same as without a tracer.
#include <dlfcn.h>
#include <sqlite3.h>
#include <stddef.h>

#include "plugin.h"

// Its own definition of a SQLite function that the tracer traces too.
int sqlite3_open(const char *name, sqlite3 **db)
{
    int (*real)(const char *, sqlite3 **) =
        (int (*)(const char *, sqlite3 **))dlsym(RTLD_NEXT, "sqlite3_open");
    if (real == NULL)
        return SQLITE_INTERNAL;
    return real(name, db); // site: next
}

int plugin_run(int *opened, int *closed)
{
    sqlite3 *db = NULL;
    if (dlsym(RTLD_NEXT, "no_such_function") != NULL || dlerror() == NULL)
        return 1;
    if (dlsym(RTLD_NEXT, "sqlite3_libversion_number") == NULL)
        return 2;
    if (sqlite3_open(":memory:", &db) != SQLITE_OK)
        return 3;
    *opened += 1;
    *closed += sqlite3_close(db) == SQLITE_OK;
    return 0;
}

const char *plugin_name(void)
{
    return "next";
}
