// A plugin that opens databases itself. Built several times, with other names in PLUGIN_NAME and
// other libraries behind it.
//
// plugin_run leaks one handle of the three it opens; plugin_take does the same with a pool.
#include <sqlite3.h>
#include <stddef.h>

#include "plugin.h"

#define TEXT_OF(name) #name
#define TEXT(name) TEXT_OF(name)

#ifdef PLUGIN_PADDING // other code in front: the same offset means another function in each build
__attribute__((used, noinline)) static int padding(int x)
{
    volatile int sum = 0;
    for (int i = 0; i < x; i++)
        sum += i * x;
    return sum;
}
#endif

__attribute__((noinline)) static sqlite3 *open_in_plugin(void)
{
    sqlite3 *db = NULL;
    sqlite3_open_v2(":memory:", &db, SQLITE_OPEN_READWRITE, NULL); // site: plugin
    return db;
}

int plugin_run(int *opened, int *closed)
{
    for (int i = 0; i < 3; i++) {
        sqlite3 *db = open_in_plugin();
        *opened += db != NULL;
        if (i > 0)
            *closed += sqlite3_close(db) == SQLITE_OK;
    }
    return 0;
}

const char *plugin_name(void)
{
    return TEXT(PLUGIN_NAME);
}
