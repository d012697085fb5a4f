// A program whose library opens databases before main and closes one after it: see plugins/early.c.
#include "counts.h"

extern sqlite3 *early_kept, *early_closed_late;

int main(void)
{
    must(early_kept != NULL && early_closed_late != NULL, "the library's constructor");
    sqlite3 *db = NULL;
    sqlite3_open(":memory:", &db); // site: in main
    counts_opened(db);
    counts_print();
    return 0;
}
