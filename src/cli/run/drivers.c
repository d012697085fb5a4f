// See drivers.h. The texts are those that the drivers' sources contain: a message of SQLite's,
// names of functions and import paths that stay in programs linked with them.
#include "cli/run/drivers.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/run/symbols.h"

static const struct mark {
    const char *text;
    size_t bytes;
    const char *driver;
} marks[] = {
#define MARK(text, driver)                                                                         \
    {                                                                                              \
        text, sizeof text - 1, driver                                                              \
    }
    // Of sqlite3_close(). Not the header of database files: whoever recognizes files knows that
    // too.
    MARK("unable to close due to unfinalized statements or unfinished backups", "SQLite"),
    MARK("PQconnectdb", "PostgreSQL's client library"),
    MARK("mysql_real_connect", "MySQL's client library"),
    MARK("SQLDriverConnect", "ODBC"),
    MARK("OCIServerAttach", "Oracle's client library"),
    MARK("github.com/lib/pq.", "the Go driver lib/pq"),
    MARK("github.com/jackc/pgx", "the Go driver pgx"),
    MARK("github.com/go-sql-driver/mysql.", "the Go driver go-sql-driver/mysql"),
    MARK("modernc.org/sqlite.", "the Go driver modernc.org/sqlite"),
    MARK("tokio-postgres-", "the Rust driver tokio-postgres"),
    MARK("mysql_async-", "the Rust driver mysql_async"),
#undef MARK
};
enum { MARKS = sizeof marks / sizeof *marks, MARK_MOST = 128, PIECE = 1 << 20 };

// Names begin so; what follows is a version. Drivers that a shipped call spec describes are not
// here.
static const struct library {
    const char *prefix, *driver;
} libraries[] = {
    {"libclntsh.so", "Oracle"},       {"libdb2.so", "Db2"},
    {"libsybdb.so", "FreeTDS"},       {"libct.so", "FreeTDS"},
    {"libfbclient.so", "Firebird"},   {"libduckdb.so", "DuckDB"},
    {"libmongoc-1.0.so", "MongoDB"},  {"libmongoc2.so", "MongoDB"},
    {"libcassandra.so", "Cassandra"}, {"libscylla-cpp-driver.so", "Scylla"},
    {"libhiredis.so", "Redis"},       {"libsqlcipher.so", "SQLCipher"},
    {"libmonetdbe.so", "MonetDB"},    {"libtaos.so", "TDengine"},
};

// Which of the first `count` marks is in the file; -1: none.
static int find_marks(const char *path, size_t count)
{
    struct stat status;
    int found = -1;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return -1;
    char *piece = malloc(PIECE);
    if (!piece)
        cli_no_memory();
    const off_t end = fstat(fd, &status) == 0 && S_ISREG(status.st_mode) ? status.st_size : 0;
    for (off_t at = 0; at < end && found < 0; at += PIECE - MARK_MOST) {
        const ssize_t got = pread(fd, piece, PIECE, at);
        if (got <= 0)
            break;
        for (size_t i = 0; i < count && found < 0; i++)
            if (memmem(piece, (size_t)got, marks[i].text, marks[i].bytes))
                found = (int)i;
    }
    free(piece);
    (void)close(fd);
    return found;
}

const char *driver_inside(const char *path)
{
    const int found = find_marks(path, MARKS);
    return found < 0 ? NULL : marks[found].driver;
}

const char *driver_not_traced(const char *path)
{
    const char *slash = strrchr(path, '/');
    const char *name = slash ? slash + 1 : path;
    for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++)
        if (strncmp(name, libraries[i].prefix, strlen(libraries[i].prefix)) == 0)
            return libraries[i].driver;
    return NULL;
}

enum driver_sqlite driver_sqlite(const char *path)
{
    static const char *const names[] = {"sqlite3_open_v2", "sqlite3_open"};
    char detail[SYMBOL_DETAIL_BYTES];
    enum symbol_place place = SYMBOL_NOWHERE;
    for (size_t i = 0; i < sizeof names / sizeof *names && place == SYMBOL_NOWHERE; i++)
        place = symbol_find(path, names[i], false, detail);
    if (place == SYMBOL_DYNAMIC)
        return DRIVER_SQLITE_EXPORTED;
    if (place == SYMBOL_LOCAL)
        return DRIVER_SQLITE_HIDDEN;
    if (place == SYMBOL_CLONED)
        return DRIVER_SQLITE_CLONED;
    return find_marks(path, 1) < 0 ? DRIVER_SQLITE_NONE : DRIVER_SQLITE_STRIPPED;
}
