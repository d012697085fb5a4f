// What is special to SQLite: asking a connection about itself, children that keep it alive,
// zombies.
#ifndef UNCLOSED_RECORDER_HOOKS_SQLITE_H
#define UNCLOSED_RECORDER_HOOKS_SQLITE_H

#include <stdbool.h>
#include <stdint.h>

#include "recorder/hooks/hook.h"
#include "trace/lock.h"

extern struct lock sqlite_copies_lock, sqlite_backups_lock; // taken around fork by process.c

// The functions of the copy of SQLite that has `function` at `real`; NULL if it is not SQLite's, or
// there are too many copies. Asks the loader: not to be called with a lock held.
const struct sqlite_api *sqlite_api_of(const struct function *function, uint64_t real);

// The same for a copy that hides its functions: `symbols` tell where they are. It lies in `module`.
enum { SQLITE_SYMBOLS = 8 };
struct sqlite_symbol {
    char name[32];
    uint64_t address;
};
struct module;
const struct sqlite_api *sqlite_api_inside(const struct function *function,
                                           const struct module *module,
                                           const struct sqlite_symbol *symbols, int count);

// String reference of the database that a call of sqlite3_open* has opened.
uint32_t sqlite_database(const struct call *call);

// String reference of a connection's database file, or TRACE_NONE.
uint32_t sqlite_file(const struct hook *hook, uint64_t db);

// A connection was opened: remembers how to recognize that it is still there.
void sqlite_opened(const struct call *call, uint32_t kind, uint64_t handle);

// Around a close of a session that was taken out of the table. sqlite_after_close returns true if
// it has put it back itself (refused or zombie).
void sqlite_before_close(struct call *call);
bool sqlite_after_close(struct call *call, bool succeeded);

// Around sqlite3_finalize, sqlite3_backup_init and sqlite3_backup_finish.
unsigned sqlite_before(struct call *call);
void sqlite_after(struct call *call);

// Asks every connection that is out whether a transaction is open and which statements are alive,
// and writes that into the trace. Never waits for a mutex; for use at the end, outside any signal.
void sqlite_ask_all(void);

#endif
