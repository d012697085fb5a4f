// The database that reports are added to: see database.h. docs/formats.md describes the tables.
#include "report/render/sqlite/database.h"

#include <stdio.h>

#include "report/render/plain.h"
#include "report/render/tallies.h"

enum {
    APPLICATION = 0x756e636c, // "uncl": PRAGMA application_id
    VERSION = 1,              // PRAGMA user_version
    BUSY_MS = 10000,          // how long to wait for another report that is being added
};

static const char schema[] =
    "CREATE TABLE runs(run INTEGER PRIMARY KEY, added TEXT, started TEXT, version TEXT,"
    " program TEXT, command TEXT, processes INTEGER, opened INTEGER, released INTEGER,"
    " never_closed INTEGER, late INTEGER, blind INTEGER);"
    "CREATE TABLE processes(run INTEGER, pid INTEGER, parent_pid INTEGER, program TEXT,"
    " command TEXT, directory TEXT, started TEXT, seconds REAL, ended TEXT, opened INTEGER,"
    " never_closed INTEGER, lost INTEGER);"
    "CREATE TABLE frames(frame INTEGER PRIMARY KEY, function TEXT, file TEXT, line INTEGER,"
    " module TEXT, offset INTEGER, language TEXT, owner TEXT);"
    "CREATE TABLE stacks(stack INTEGER, position INTEGER, frame INTEGER,"
    " PRIMARY KEY(stack, position)) WITHOUT ROWID;"
    "CREATE TABLE pools(pool INTEGER PRIMARY KEY, run INTEGER, kind TEXT, name TEXT, class TEXT,"
    " size INTEGER, overflow INTEGER, out INTEGER, idle INTEGER, high_water INTEGER,"
    " high_water_at REAL, acquires INTEGER, waits INTEGER, longest_wait REAL, total_wait REAL,"
    " failed INTEGER, timeouts INTEGER);"
    "CREATE TABLE holders(pool INTEGER, site INTEGER, count INTEGER);"
    "CREATE TABLE names(site INTEGER, what TEXT, name TEXT, count INTEGER);"
    "CREATE TABLE events(run INTEGER, pid INTEGER, at REAL, event TEXT, function TEXT, thread TEXT,"
    " pool INTEGER, site INTEGER, stack INTEGER, waited REAL, failed INTEGER, count INTEGER);"
    "CREATE TABLE blind(run INTEGER, program TEXT, reason TEXT, remedy TEXT);";

static void fail(struct database *database)
{
    if (!database->fault)
        database->fault = arena_text(
            database->arena, database->sqlite ? sqlite3_errmsg(database->sqlite) : "no memory");
}

static void execute(struct database *database, const char *sql)
{
    if (!database->fault && sqlite3_exec(database->sqlite, sql, NULL, NULL, NULL) != SQLITE_OK)
        fail(database);
}

static int64_t ask(struct database *database, const char *sql)
{
    sqlite3_stmt *statement = database_prepare(database, sql);
    int64_t answer = 0;
    if (statement && sqlite3_step(statement) == SQLITE_ROW)
        answer = sqlite3_column_int64(statement, 0);
    else
        fail(database);
    (void)sqlite3_finalize(statement);
    return answer;
}

static void make_tables(struct database *database)
{
    const char *columns = "";
    for (size_t i = 0; i < tally_column_count; i++)
        columns = arena_format(database->arena, "%s, %s INTEGER", columns, tally_columns[i].name);
    execute(database, schema);
    execute(database,
            arena_format(database->arena,
                         "CREATE TABLE totals(run INTEGER, kind TEXT%s);"
                         "CREATE TABLE sites(site INTEGER PRIMARY KEY, run INTEGER, id TEXT,"
                         " key TEXT, kind TEXT, finding TEXT, function TEXT, file TEXT,"
                         " line INTEGER, module TEXT, pattern TEXT, code TEXT, acquired_by TEXT,"
                         " pool INTEGER, stack INTEGER, longest REAL, hold REAL, holds INTEGER%s);"
                         "CREATE INDEX sites_of_run ON sites(run, id);"
                         "CREATE INDEX sites_of_key ON sites(key);"
                         "PRAGMA application_id=%d; PRAGMA user_version=%d",
                         columns, columns, APPLICATION, VERSION));
}

// Within a transaction, so that nobody else makes them at the same time.
static void check_tables(struct database *database)
{
    if (ask(database, "SELECT count(*) FROM sqlite_schema") == 0 && !database->fault)
        make_tables(database);
    if (database->fault)
        return;
    if (ask(database, "PRAGMA application_id") != APPLICATION)
        database->fault = "it is a database of something else";
    else if (ask(database, "PRAGMA user_version") != VERSION)
        database->fault = "it was made by another version of unclosed";
}

struct database database_open(struct arena *arena, const char *path)
{
    struct database database = {.arena = arena};
    // "file:" and ":memory:" are names like any other.
    const char *name = path[0] == '/' ? path : arena_format(arena, "./%s", path);
    if (sqlite3_open_v2(name, &database.sqlite, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL) !=
        SQLITE_OK)
        fail(&database);
    if (!database.fault)
        (void)sqlite3_busy_timeout(database.sqlite, BUSY_MS);
    // The file may be anybody's: its schema must not call functions or reach other files.
    execute(&database, "PRAGMA trusted_schema=OFF; BEGIN IMMEDIATE");
    if (!database.fault)
        check_tables(&database);
    return database;
}

const char *database_close(struct database *database)
{
    execute(database, "COMMIT");
    (void)sqlite3_close_v2(database->sqlite); // without a commit: rolled back
    return database->fault;
}

sqlite3_stmt *database_prepare(struct database *database, const char *sql)
{
    sqlite3_stmt *statement = NULL;
    if (!database->fault &&
        sqlite3_prepare_v2(database->sqlite, sql, -1, &statement, NULL) != SQLITE_OK)
        fail(database);
    return statement;
}

void database_number(sqlite3_stmt *row, int column, uint64_t number)
{
    (void)sqlite3_bind_int64(row, column, (sqlite3_int64)(number & INT64_MAX));
}

void database_text(struct arena *arena, sqlite3_stmt *row, int column, const char *text)
{
    if (text && *text)
        (void)sqlite3_bind_text(row, column, plain_text(arena, text, 0), -1, SQLITE_STATIC);
}

int64_t database_add(struct database *database, sqlite3_stmt *row)
{
    if (!row || database->fault)
        return 0;
    if (sqlite3_step(row) != SQLITE_DONE)
        fail(database);
    (void)sqlite3_reset(row);
    (void)sqlite3_clear_bindings(row);
    return sqlite3_last_insert_rowid(database->sqlite);
}
