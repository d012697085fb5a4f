// A library that stands in front of SQLite, as a user may preload one: it has the functions that
// open and close and calls on by RTLD_NEXT. It neither links SQLite nor has any other function.
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>

static void *next(const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    if (found == NULL)
        abort();
    return found;
}

int sqlite3_open(const char *name, void **db);
int sqlite3_open(const char *name, void **db)
{
    return ((int (*)(const char *, void **))next("sqlite3_open"))(name, db);
}

int sqlite3_close(void *db);
int sqlite3_close(void *db)
{
    return ((int (*)(void *))next("sqlite3_close"))(db);
}

int sqlite3_close_v2(void *db);
int sqlite3_close_v2(void *db)
{
    return ((int (*)(void *))next("sqlite3_close_v2"))(db);
}
