// SQLite is linked into this program itself, invisible to the dynamic linker: its functions are
// seen only if their entries are patched.
//
// Each argument is a shared copy of SQLite, loaded at run time, where one handle is leaked.
#include <dlfcn.h>

#include "counts.h"

int main(int argc, char **argv)
{
    sqlite3 *db, *other;
    sqlite3_open(":memory:", &db);
    counts_opened(db);
    for (int i = 1; i < argc; i++) {
        void *library = dlopen(argv[i], RTLD_NOW);
        must(library != NULL, argv[i]);
        int (*open)(const char *, sqlite3 **) =
            (int (*)(const char *, sqlite3 **))dlsym(library, "sqlite3_open");
        must(open != NULL && open(":memory:", &other) == SQLITE_OK, "open"); // site: copy
        counts_opened(other);
    }
    counts_closed(sqlite3_close(db));
    counts_print();
    return 0;
}
