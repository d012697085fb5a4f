// What victim_sessions.c loads: opens a database, asks it something, closes it. Linked so that its
// table of addresses is read-only once it is loaded (RELRO).
#include <sqlite3.h>
#include <stddef.h>

int session_round(void);

int session_round(void)
{
    sqlite3 *db = NULL;
    int status = sqlite3_open_v2(":memory:", &db, SQLITE_OPEN_READWRITE, NULL);
    if (status == SQLITE_OK)
        status = sqlite3_exec(db, "select 1", NULL, NULL, NULL);
    const int closed = sqlite3_close(db);
    return status != SQLITE_OK ? status : closed;
}
