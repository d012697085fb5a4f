// Every outcome a SQLite handle can have, one scenario each, named on the command line.
//
// Usage: outcomes [own_vfs] SCENARIO... (or "all"), in a folder where files may be created.
// own_vfs: connections have a VFS of the program's.
#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <string.h>

#include "counts.h"

#define SCENARIO static __attribute__((noinline)) void

static const char *name_of(const char *scenario)
{
    static char name[100];
    snprintf(name, sizeof name, "%s.db", scenario);
    return name;
}

SCENARIO closed(void)
{
    static const unsigned short memory16[] = {':', 'm', 'e', 'm', 'o', 'r', 'y', ':', 0};
    sqlite3 *a, *b, *c;
    sqlite3_open(":memory:", &a);
    sqlite3_open_v2(name_of("closed"), &b, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
    sqlite3_open16(memory16, &c);
    counts_opened(a);
    counts_opened(b);
    counts_opened(c);
    counts_closed(sqlite3_close(a));
    counts_closed(sqlite3_close_v2(b));
    counts_closed(sqlite3_close(c));
}

SCENARIO leaked(void)
{
    static const unsigned short name16[] = {'l', '1', '6', '.', 'd', 'b', 0};
    sqlite3 *a, *b, *c;
    sqlite3_open(name_of("leaked"), &a); // site: leaked open
    sqlite3_open_v2("leaked2.db", &b, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, // site: leaked v2
                    NULL);
    sqlite3_open16(name16, &c); // site: leaked 16
    counts_opened(a);
    counts_opened(b);
    counts_opened(c);
}

SCENARIO failed_closed(void)
{
    sqlite3 *db = NULL;
    must(sqlite3_open_v2("/nowhere/at/all.db", &db, SQLITE_OPEN_READONLY, NULL) != SQLITE_OK,
         "open of a file that is not there");
    must(counts_opened(db) != NULL, "handle of a failed open");
    counts_closed(sqlite3_close(db));
}

SCENARIO failed_leaked(void)
{
    sqlite3 *db = NULL;
    sqlite3_open_v2("/nowhere/at/all.db", &db, SQLITE_OPEN_READONLY, NULL); // site: failed leaked
    must(counts_opened(db) != NULL, "handle of a failed open");
}

// A failed open stores no handle if there is no memory for one.
static bool deny_memory;
SCENARIO failed_without_handle(void)
{
    sqlite3 *db = (sqlite3 *)1;
    deny_memory = true;
    must(sqlite3_open_v2("x.db", &db, SQLITE_OPEN_READWRITE, NULL) == SQLITE_NOMEM, "no memory");
    deny_memory = false;
    must(counts_opened(db) == NULL, "no handle");
}

SCENARIO close_null(void)
{
    must(sqlite3_close(NULL) == SQLITE_OK, "close(NULL)");
    must(sqlite3_close_v2(NULL) == SQLITE_OK, "close_v2(NULL)");
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    must(sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK, sql);
    return statement;
}

SCENARIO busy_then_closed(void)
{
    sqlite3 *db;
    sqlite3_open(":memory:", &db);
    counts_opened(db);
    sqlite3_stmt *statement = prepare(db, "select 'busy then closed'");
    must(counts_closed(sqlite3_close(db)) == SQLITE_BUSY, "close with a statement");
    must(counts_closed(sqlite3_close(db)) == SQLITE_BUSY, "close with a statement, again");
    sqlite3_finalize(statement);
    must(counts_closed(sqlite3_close(db)) == SQLITE_OK, "close after finalize");
}

SCENARIO busy_leaked(void)
{
    sqlite3 *db;
    sqlite3_open(name_of("busy_leaked"), &db); // site: busy leaked
    counts_opened(db);
    prepare(db, "select 'busy leaked'");
    must(counts_closed(sqlite3_close(db)) == SQLITE_BUSY, "close with a statement");
}

SCENARIO zombie_statement(void)
{
    sqlite3 *db;
    sqlite3_open(name_of("zombie_statement"), &db); // site: zombie statement
    counts_opened(db);
    prepare(db, "select 'zombie statement'");
    counts_closed(sqlite3_close_v2(db));
}

SCENARIO zombie_blob(void)
{
    sqlite3 *db;
    sqlite3_blob *blob;
    sqlite3_open(":memory:", &db); // site: zombie blob
    counts_opened(db);
    sqlite3_exec(db, "create table t(b blob); insert into t values (zeroblob(9))", 0, 0, 0);
    must(sqlite3_blob_open(db, "main", "t", "b", 1, 0, &blob) == SQLITE_OK, "blob");
    counts_closed(sqlite3_close_v2(db));
}

// Only the source of a backup is kept alive by it: see sqlite3BtreeIsInBackup.
SCENARIO zombie_backup(void)
{
    sqlite3 *from, *to;
    sqlite3_open(":memory:", &from); // site: zombie backup source
    sqlite3_open(":memory:", &to);
    counts_opened(from);
    counts_opened(to);
    must(sqlite3_backup_init(to, "main", from, "main") != NULL, "backup");
    counts_closed(sqlite3_close_v2(from));
    counts_closed(sqlite3_close_v2(to));
}

SCENARIO zombie_resolved(void)
{
    sqlite3 *db;
    sqlite3_open(":memory:", &db);
    counts_opened(db);
    sqlite3_stmt *statement = prepare(db, "select 'zombie resolved'");
    counts_closed(sqlite3_close_v2(db));
    sqlite3_finalize(statement);
}

SCENARIO transaction_open(void)
{
    sqlite3 *db;
    sqlite3_open(name_of("transaction"), &db); // site: transaction
    counts_opened(db);
    sqlite3_exec(db, "begin immediate", 0, 0, 0);
}

SCENARIO statements_alive(void)
{
    sqlite3 *db;
    sqlite3_open(name_of("statements"), &db); // site: statements
    counts_opened(db);
    sqlite3_exec(db, "create table if not exists t(x)", 0, 0, 0);
    sqlite3_step(prepare(db, "insert into t values (7)"));
    sqlite3_step(prepare(db, "select x from t"));
}

// SQLite looks for its magic mark in the handle and refuses these; nothing of theirs may be read
// as if they were databases.
SCENARIO unknown_handle(void)
{
    static unsigned char zeroes[8192], noise[8192];
    memset(noise, 0xa5, sizeof noise);
    must(sqlite3_close((sqlite3 *)zeroes) == SQLITE_MISUSE, "close of zeroes"); // site: unknown
    must(sqlite3_close_v2((sqlite3 *)noise) == SQLITE_MISUSE, "close of noise");
}

// Closed memory is never handed out again (see keep_all_memory), so that SQLite can tell.
SCENARIO double_close(void)
{
    sqlite3 *db;
    sqlite3_open(":memory:", &db);
    counts_opened(db);
    counts_closed(sqlite3_close(db));
    must(sqlite3_close(db) == SQLITE_MISUSE, "second close"); // site: double close
    must(sqlite3_close_v2(db) == SQLITE_MISUSE, "third close");
}

// Some of 40, all of 15: what a report has to tell apart.
SCENARIO some_paths(void)
{
    for (int i = 0; i < 40; i++) {
        sqlite3 *db;
        sqlite3_open(":memory:", &db); // site: some paths
        counts_opened(db);
        if (i % 10 < 3)
            continue;
        counts_closed(sqlite3_close(db));
    }
}

SCENARIO all_paths(void)
{
    for (int i = 0; i < 15; i++) {
        sqlite3 *db;
        sqlite3_open(":memory:", &db); // site: all paths
        counts_opened(db);
    }
}

// Threads hand each other the same addresses: malloc gives a freed block to whoever asks next.
static void *open_and_close(void *data)
{
    for (int i = 0; i < 500; i++) {
        sqlite3 *db;
        sqlite3_open(":memory:", &db);
        counts_opened(db);
        counts_closed(i % 2 ? sqlite3_close(db) : sqlite3_close_v2(db));
    }
    return data;
}

SCENARIO address_reuse(void)
{
    pthread_t threads[4];
    for (int i = 0; i < 4; i++)
        must(pthread_create(&threads[i], NULL, open_and_close, NULL) == 0, "thread");
    for (int i = 0; i < 4; i++)
        pthread_join(threads[i], NULL);
}

// What each call leaves in errno, having found 4711 there.
SCENARIO errno_kept(void)
{
    sqlite3 *memory, *file, *failed;
    int seen[6];
    unlink(name_of("errno"));
    errno = 4711;
    sqlite3_open(":memory:", &memory);
    seen[0] = errno;
    errno = 4711;
    sqlite3_open_v2(name_of("errno"), &file, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL);
    seen[1] = errno;
    errno = 4711;
    sqlite3_open_v2("/nowhere/at/all.db", &failed, SQLITE_OPEN_READONLY, NULL);
    seen[2] = errno;
    errno = 4711;
    counts_closed(sqlite3_close(memory));
    seen[3] = errno;
    errno = 4711;
    counts_closed(sqlite3_close_v2(file));
    seen[4] = errno;
    errno = 4711;
    sqlite3_close(NULL);
    seen[5] = errno;
    counts_opened(memory);
    counts_opened(file);
    counts_opened(failed);
    counts_closed(sqlite3_close(failed));
    printf("errno=%d,%d,%d,%d,%d,%d\n", seen[0], seen[1], seen[2], seen[3], seen[4], seen[5]);
}

static const struct scenario {
    const char *name;
    void (*run)(void);
} scenarios[] = {
    {"closed", closed},
    {"leaked", leaked},
    {"failed_closed", failed_closed},
    {"failed_leaked", failed_leaked},
    {"failed_without_handle", failed_without_handle},
    {"close_null", close_null},
    {"busy_then_closed", busy_then_closed},
    {"busy_leaked", busy_leaked},
    {"zombie_statement", zombie_statement},
    {"zombie_blob", zombie_blob},
    {"zombie_backup", zombie_backup},
    {"zombie_resolved", zombie_resolved},
    {"transaction_open", transaction_open},
    {"statements_alive", statements_alive},
    {"unknown_handle", unknown_handle},
    {"double_close", double_close},
    {"some_paths", some_paths},
    {"all_paths", all_paths},
    {"address_reuse", address_reuse},
    {"errno_kept", errno_kept},
};
enum { SCENARIOS = sizeof scenarios / sizeof scenarios[0] };

// An allocator that takes nothing back: a handle that was closed keeps the bytes that say so.
static void *keep_malloc(int bytes)
{
    long *block = deny_memory ? NULL : malloc((size_t)bytes + 16);
    if (block == NULL)
        return NULL;
    block[0] = bytes;
    return block + 2;
}

static void keep_free(void *block)
{
    (void)block;
}

static int keep_size(void *block)
{
    return block ? (int)((long *)block)[-2] : 0;
}

static void *keep_realloc(void *block, int bytes)
{
    void *larger = keep_malloc(bytes);
    if (larger != NULL && block != NULL)
        memcpy(larger, block, (size_t)(keep_size(block) < bytes ? keep_size(block) : bytes));
    return larger;
}

static int keep_roundup(int bytes)
{
    return (bytes + 7) & ~7;
}

static int keep_init(void *data)
{
    (void)data;
    return SQLITE_OK;
}

static void keep_shutdown(void *data)
{
    (void)data;
}

static void keep_all_memory(void)
{
    static const sqlite3_mem_methods methods = {keep_malloc,  keep_free, keep_realloc,  keep_size,
                                                keep_roundup, keep_init, keep_shutdown, NULL};
    must(sqlite3_config(SQLITE_CONFIG_MALLOC, &methods) == SQLITE_OK, "SQLite's allocator");
}

static void register_vfs(void)
{
    static sqlite3_vfs own;
    own = *sqlite3_vfs_find(NULL);
    own.zName = "own";
    must(sqlite3_vfs_register(&own, 1) == SQLITE_OK, "VFS");
}

int main(int argc, char **argv)
{
    int run = 0;
    if (argc > 1 && strcmp(argv[1], "own_vfs") == 0)
        register_vfs();
    for (int i = 1; i < argc; i++)
        if (strcmp(argv[i], "double_close") == 0 || strcmp(argv[i], "all") == 0 ||
            strcmp(argv[i], "failed_without_handle") == 0)
            keep_all_memory();
    for (int i = 1; i < argc; i++)
        for (int s = 0; s < SCENARIOS; s++)
            if (strcmp(argv[i], "all") == 0 || strcmp(argv[i], scenarios[s].name) == 0) {
                scenarios[s].run();
                run++;
            }
    counts_print();
    return run == 0;
}
