// The database that reports are added to: its tables, and rows.
//
// Knows SQLite and no profile. What fails first is kept; what comes after it does nothing.
// Not thread-safe.
#ifndef UNCLOSED_REPORT_RENDER_SQLITE_DATABASE_H
#define UNCLOSED_REPORT_RENDER_SQLITE_DATABASE_H

#include <stdint.h>

#include <sqlite3.h>

#include "report/code/memory.h"

struct database {
    sqlite3 *sqlite;
    struct arena *arena;
    const char *fault; // NULL: none so far
};

// Opens the file, makes the tables in an empty one, and begins a transaction. What is a database of
// somebody else is refused. To be closed also after a fault.
struct database database_open(struct arena *arena, const char *path);
// Commits if all went well. Result: the fault, or NULL.
const char *database_close(struct database *database);

// A statement that adds a row; NULL after a fault.
sqlite3_stmt *database_prepare(struct database *database, const char *sql);
// Values of the row, in the order of their columns from 1.
void database_number(sqlite3_stmt *row, int column, uint64_t number);
void database_text(struct arena *arena, sqlite3_stmt *row, int column,
                   const char *text); // "": NULL
// Adds the row. Result: its number.
int64_t database_add(struct database *database, sqlite3_stmt *row);

#endif
