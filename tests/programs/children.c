// Statements, blobs and backups that keep a SQLite connection alive, in all orders and from several
// threads; virtual tables that have statements of their own; transactions.
//
// Usage: children SCENARIO..., in a folder where files may be created. What is left over at the end
// is what SQLite says itself: "left=" is the memory that it still has, 0 if every connection is
// gone.
#include <pthread.h>
#include <sched.h>
#include <stdbool.h>
#include <string.h>

#include "counts.h"

#define OPEN(db) must(sqlite3_open(":memory:", &(db)) == SQLITE_OK && counts_opened(db), "open")
#define SCENARIO static __attribute__((noinline)) void

enum { TIMES = 5, ROUNDS = 3000 };

static void run(sqlite3 *db, const char *sql)
{
    must(sqlite3_exec(db, sql, NULL, NULL, NULL) == SQLITE_OK, sql);
}

static sqlite3_stmt *prepare(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    must(sqlite3_prepare_v2(db, sql, -1, &statement, NULL) == SQLITE_OK, sql);
    return statement;
}

// All ways to prepare one.
static sqlite3_stmt *prepare_as(sqlite3 *db, int way)
{
    static const unsigned short sql16[] = {'s', 'e', 'l', 'e', 'c', 't', ' ', '1', 0};
    sqlite3_stmt *statement = NULL;
    const void *tail;
    const char *sql = "select 1";
    switch (way) {
    case 0:
        must(sqlite3_prepare(db, sql, -1, &statement, NULL) == SQLITE_OK, "prepare");
        break;
    case 1:
        must(sqlite3_prepare_v3(db, sql, 8, 0, &statement, NULL) == SQLITE_OK, "v3");
        break;
    case 2:
        must(sqlite3_prepare16_v2(db, sql16, -1, &statement, &tail) == SQLITE_OK, "16");
        break;
    case 3:
        must(sqlite3_prepare16_v3(db, sql16, -1, 0, &statement, &tail) == SQLITE_OK, "16v3");
        break;
    default:
        statement = prepare(db, sql);
        break;
    }
    return statement;
}

SCENARIO statements(void)
{
    for (int i = 0; i < TIMES; i++) {
        sqlite3 *db;
        OPEN(db);
        sqlite3_stmt *one = prepare_as(db, i), *other = prepare_as(db, (i + 1) % TIMES);
        sqlite3_finalize(one);
        counts_closed(sqlite3_close_v2(db));
        sqlite3_finalize(NULL);
        sqlite3_finalize(other);
    }
}

SCENARIO statements_first(void)
{
    for (int i = 0; i < TIMES; i++) {
        sqlite3 *db;
        OPEN(db);
        sqlite3_stmt *empty = prepare(db, " -- nothing");
        must(empty == NULL, "an empty statement is none");
        sqlite3_finalize(prepare_as(db, i));
        must(prepare_as(db, i) != NULL, "another one");
        while (sqlite3_next_stmt(db, NULL) != NULL)
            sqlite3_finalize(sqlite3_next_stmt(db, NULL));
        counts_closed(sqlite3_close_v2(db));
    }
}

SCENARIO blobs(void)
{
    for (int i = 0; i < TIMES; i++) {
        sqlite3 *db;
        OPEN(db);
        sqlite3_blob *blob, *none;
        run(db, "create table t(b); insert into t values (zeroblob(9))");
        must(sqlite3_blob_open(db, "main", "t", "b", 1, 0, &blob) == SQLITE_OK, "blob");
        must(sqlite3_blob_open(db, "main", "t", "b", 2, 0, &none) != SQLITE_OK, "no such row");
        counts_closed(sqlite3_close_v2(db));
        sqlite3_blob_close(blob);
        sqlite3_blob_close(NULL);
    }
}

SCENARIO backups(void)
{
    for (int i = 0; i < TIMES; i++) {
        sqlite3 *from, *to;
        OPEN(from);
        OPEN(to);
        sqlite3_backup *backup = sqlite3_backup_init(to, "main", from, "main");
        must(backup != NULL, "backup");
        counts_closed(sqlite3_close_v2(from));
        sqlite3_backup_finish(backup);
        counts_closed(sqlite3_close(to));
    }
}

// Of three children the last one is a backup, which still is one after the others are gone.
SCENARIO mixed(void)
{
    sqlite3 *db, *to;
    OPEN(to);
    OPEN(db); // site: mixed
    sqlite3_blob *blob;
    run(db, "create table t(b); insert into t values (zeroblob(9))");
    must(sqlite3_blob_open(db, "main", "t", "b", 1, 0, &blob) == SQLITE_OK, "blob");
    sqlite3_stmt *statement = prepare(db, "select b from t");
    must(sqlite3_backup_init(to, "main", db, "main") != NULL, "backup");
    counts_closed(sqlite3_close_v2(db));
    sqlite3_finalize(statement);
    sqlite3_blob_close(blob);
    counts_closed(sqlite3_close(to));
}

// Two threads at the same connection, at the same moment.
static struct {
    sqlite3 *db;
    sqlite3_stmt *statement[2];
} races[ROUNDS];
static atomic_int arrived[2];
static bool close_first;

static void meet(int thread, int round)
{
    atomic_store(&arrived[thread], round + 1);
    for (int i = 0; atomic_load(&arrived[!thread]) <= round; i++)
        if (i % 100 == 99)
            sched_yield();
}

static void *end_one(void *data)
{
    const int thread = data != NULL;
    for (int i = 0; i < ROUNDS; i++) {
        meet(thread, i);
        if (thread == 0 && !close_first)
            counts_closed(sqlite3_close_v2(races[i].db));
        else
            sqlite3_finalize(races[i].statement[thread]);
    }
    return NULL;
}

static void race(bool first)
{
    pthread_t other;
    close_first = first;
    atomic_store(&arrived[0], 0);
    atomic_store(&arrived[1], 0);
    for (int i = 0; i < ROUNDS; i++) {
        OPEN(races[i].db);
        races[i].statement[1] = prepare(races[i].db, "select 1");
        races[i].statement[0] = first ? prepare(races[i].db, "select 2") : NULL;
        if (first)
            counts_closed(sqlite3_close_v2(races[i].db));
    }
    must(pthread_create(&other, NULL, end_one, races) == 0, "thread");
    end_one(NULL);
    pthread_join(other, NULL);
}

// close_v2 and the end of the last statement; the ends of the last two.
SCENARIO race_close(void)
{
    race(false);
}

SCENARIO race_finalize(void)
{
    race(true);
}

// Tables with statements of their own, which end within the close, or with the last statement.
static void use_table(const char *create, const char *insert, const char *select)
{
    for (int way = 0; way < 3; way++) {
        sqlite3 *db;
        OPEN(db);
        run(db, create);
        run(db, insert);
        sqlite3_stmt *statement = prepare(db, select);
        must(sqlite3_step(statement) == SQLITE_ROW, select);
        if (way > 0)
            sqlite3_finalize(statement);
        if (way == 2)
            counts_closed(sqlite3_close(db));
        else
            counts_closed(sqlite3_close_v2(db));
        if (way == 0)
            sqlite3_finalize(statement);
    }
}

SCENARIO virtual_tables(void)
{
    use_table("create virtual table t using fts5(a)", "insert into t values ('one two')",
              "select a from t where t match 'two'");
    use_table("create virtual table t using fts4(a)", "insert into t values ('one two')",
              "select a from t where t match 'two'");
    use_table("create virtual table t using rtree(id, a, b)", "insert into t values (1, 2, 3)",
              "select id from t where a < 9");
}

// A statement that the program prepares while SQLite is inside sqlite3_exec.
static sqlite3_stmt *in_callback;

static int called_back(void *db, int count, char **values, char **names)
{
    (void)count, (void)values, (void)names;
    in_callback = prepare(db, "select 3");
    return 0;
}

SCENARIO callback(void)
{
    sqlite3 *db;
    OPEN(db);
    must(sqlite3_exec(db, "select 1", called_back, db, NULL) == SQLITE_OK, "exec");
    counts_closed(sqlite3_close_v2(db));
    sqlite3_finalize(in_callback);
    OPEN(db); // site: callback
    must(sqlite3_exec(db, "select 1", called_back, db, NULL) == SQLITE_OK, "exec");
    counts_closed(sqlite3_close_v2(db));
}

static void step(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *statement = prepare(db, sql);
    must(sqlite3_step(statement) == SQLITE_DONE, sql);
    sqlite3_finalize(statement);
}

// Connections left open, with or without a transaction.
SCENARIO transactions(void)
{
    sqlite3 *a, *b, *c, *d, *e;
    OPEN(a); // site: never begun
    OPEN(b); // site: begun by exec
    run(b, "begin");
    OPEN(c); // site: begun by statement
    step(c, "begin");
    OPEN(d); // site: ended by statement
    run(d, "create table t(a)");
    step(d, "begin immediate");
    step(d, "insert into t values (1)");
    sqlite3_step(prepare(d, "commit"));
    OPEN(e); // site: rolled back by itself
    run(e, "create table t(a primary key on conflict rollback); insert into t values (1); begin");
    must(sqlite3_step(prepare(e, "insert into t values (1)")) == SQLITE_CONSTRAINT, "conflict");
}

// What APSW does to find out about forks: other mutexes, while a connection is out.
static sqlite3_mutex_methods original;
struct checked {
    sqlite3_mutex *mutex;
};
static sqlite3_mutex *checked_new(int type)
{
    struct checked *checked = calloc(1, sizeof *checked);
    must(checked != NULL, "memory");
    checked->mutex = original.xMutexAlloc(type);
    return (sqlite3_mutex *)checked;
}
static void checked_free(sqlite3_mutex *mutex)
{
    original.xMutexFree(((struct checked *)mutex)->mutex);
    free(mutex);
}
static void checked_enter(sqlite3_mutex *mutex)
{
    original.xMutexEnter(((struct checked *)mutex)->mutex);
}
static int checked_try(sqlite3_mutex *mutex)
{
    return original.xMutexTry(((struct checked *)mutex)->mutex);
}
static void checked_leave(sqlite3_mutex *mutex)
{
    original.xMutexLeave(((struct checked *)mutex)->mutex);
}
static int begin(void)
{
    return original.xMutexInit();
}
static int end(void)
{
    return original.xMutexEnd();
}

SCENARIO other_mutexes(void)
{
    sqlite3 *db;
    OPEN(db); // site: other mutexes
    run(db, "begin");
    sqlite3_shutdown();
    must(sqlite3_config(SQLITE_CONFIG_GETMUTEX, &original) == SQLITE_OK, "get");
    static sqlite3_mutex_methods checked = {begin,         end,           checked_new,
                                            checked_free,  checked_enter, checked_try,
                                            checked_leave, NULL,          NULL};
    must(sqlite3_config(SQLITE_CONFIG_MUTEX, &checked) == SQLITE_OK, "set");
    must(sqlite3_initialize() == SQLITE_OK, "initialize");
    sqlite3 *other;
    OPEN(other);
    counts_closed(sqlite3_close(other));
}

// Statements that are there before the program is attached to. The first two are gone in the end.
SCENARIO older(void)
{
    sqlite3 *db[4];
    sqlite3_stmt *statement[4];
    char line[10];
    for (int i = 0; i < 4; i++) {
        OPEN(db[i]);
        run(db[i], "create virtual table t using fts5(a); insert into t values ('one')");
        statement[i] = prepare(db[i], "select a from t where t match 'one'");
        must(sqlite3_step(statement[i]) == SQLITE_ROW, "step");
    }
    puts("ready");
    fflush(stdout);
    must(fgets(line, sizeof line, stdin) != NULL, "line");
    sqlite3_finalize(statement[0]); // before the close
    sqlite3_finalize(prepare(db[1], "select 2"));
    for (int i = 0; i < 4; i++)
        counts_closed(sqlite3_close_v2(db[i]));
    sqlite3_finalize(statement[1]);
    sqlite3_finalize(statement[2]);
}

static const struct scenario {
    const char *name;
    void (*run)(void);
} scenarios[] = {
    {"statements", statements},
    {"statements_first", statements_first},
    {"blobs", blobs},
    {"backups", backups},
    {"mixed", mixed},
    {"race_close", race_close},
    {"race_finalize", race_finalize},
    {"virtual_tables", virtual_tables},
    {"callback", callback},
    {"transactions", transactions},
    {"other_mutexes", other_mutexes},
    {"older", older},
};
enum { SCENARIOS = sizeof scenarios / sizeof scenarios[0] };

int main(int argc, char **argv)
{
    int done = 0;
    for (int i = 1; i < argc; i++)
        for (int s = 0; s < SCENARIOS; s++)
            if (strcmp(argv[i], scenarios[s].name) == 0) {
                scenarios[s].run();
                done++;
            }
    counts_print();
    printf("left=%lld\n", (long long)sqlite3_memory_used());
    return done == 0;
}
