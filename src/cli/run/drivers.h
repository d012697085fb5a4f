// Which database driver is inside a file of code, or is that file: for what is not traced.
//
// Looks at files only. They may be anybody's: only regular files are read, in bounded pieces. Not
// thread-safe.
#ifndef UNCLOSED_CLI_RUN_DRIVERS_H
#define UNCLOSED_CLI_RUN_DRIVERS_H

#include <stdbool.h>

// The driver of which the program file at `path` contains the code, by texts that it cannot do
// without: "SQLite", "a PostgreSQL driver"; NULL: none is known to be in it.
const char *driver_inside(const char *path);

// What a shared library is the driver of, by its file name, where no call spec describes it:
// "Oracle"; NULL: of nothing, or it is traced. path: may be a bare name.
const char *driver_not_traced(const char *path);

// How SQLite is in a shared library or program.
enum driver_sqlite {
    DRIVER_SQLITE_NONE,
    DRIVER_SQLITE_EXPORTED, // with functions that the loader's tables lead to
    DRIVER_SQLITE_HIDDEN,   // with a symbol table that says where they are
    DRIVER_SQLITE_CLONED,   // with copies of its functions whose arguments the compiler has changed
    DRIVER_SQLITE_STRIPPED, // nothing says where they are
};
enum driver_sqlite driver_sqlite(const char *path);

#endif
