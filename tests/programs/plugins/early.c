// A library that opens databases before anybody else does anything, and closes one after all others
// are done: its constructor runs before a preloaded library's, its destructor after exit handlers.
#include <sqlite3.h>
#include <stddef.h>

sqlite3 *early_kept, *early_closed_late;

__attribute__((constructor)) static void open_early(void)
{
    sqlite3 *brief = NULL;
    sqlite3_open(":memory:", &early_kept); // site: early
    sqlite3_open(":memory:", &early_closed_late);
    sqlite3_open(":memory:", &brief);
    sqlite3_close(brief);
}

__attribute__((destructor)) static void close_late(void)
{
    sqlite3_close(early_closed_late);
}
