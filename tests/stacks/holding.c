// Preloaded into a program that knows no database: its first thread holds a session from the start.
#include <sqlite3.h>
#include <stdlib.h>

__attribute__((constructor)) static void hold(void)
{
    sqlite3 *database;
    if (sqlite3_open(":memory:", &database) != SQLITE_OK)
        abort();
}
