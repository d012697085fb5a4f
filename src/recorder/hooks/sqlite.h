// What is special to SQLite: children that keep a connection alive, zombies, transactions.
//
// What is written down of a connection at its end, in a dump or in a report is known from the calls
// that were seen before. Functions named _quick are called outside recorder_enter: they take no
// lock, and are async-signal-safe as far as SQLite's function is.
#ifndef UNCLOSED_RECORDER_HOOKS_SQLITE_H
#define UNCLOSED_RECORDER_HOOKS_SQLITE_H

#include <stdbool.h>
#include <stdint.h>

#include "recorder/hooks/hook.h"
#include "trace/lock.h"

// String reference of the database that a call of sqlite3_open* has opened.
uint32_t sqlite_database(const struct call *call);

// String reference of a connection's database file, or TRACE_NONE.
uint32_t sqlite_file(const struct hook *hook, uint64_t db);

// Whether a connection that was never seen is one, as far as can be told without calling anything.
bool sqlite_is_open(const struct hook *hook, uint64_t db);

// A connection was opened: remembers how to recognize that it is still there.
void sqlite_opened(const struct call *call, uint32_t kind, uint64_t handle);

// A connection that was open before the attach, or before the fork, is used.
void sqlite_used(const struct call *call, uint64_t handle);

// Around a close of a session that was taken out of the table. by_code: not by a collector or the
// like, which takes the children away as well. sqlite_after_close returns true if it has put it
// back (refused, zombie) or ended it itself.
void sqlite_before_close(struct call *call);
bool sqlite_after_close(struct call *call, bool succeeded, bool by_code);

// Around functions with a `sqlite` kind. The first returns what hook_before returns, or
// SQLITE_ENTER: call the second one, inside the recorder. Likewise after the call, if
// sqlite_after_quick returns false.
enum { SQLITE_ENTER = 0x100 };
unsigned sqlite_before_quick(struct call *call);
unsigned sqlite_before(struct call *call);
bool sqlite_after_quick(struct call *call);
void sqlite_after(struct call *call);

// A step of a statement has ended, and there is no further row.
void sqlite_stepped(const struct hook *hook, uint64_t statement);

// Writes into the trace what is known of every connection that is out: whether a transaction is
// open, which statements are alive. Calls nothing of SQLite's.
void sqlite_tell_all(void);

// After a detach.
void sqlite_forget(void);

#endif
