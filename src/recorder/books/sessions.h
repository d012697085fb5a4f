// Upkeep of the session table declared in session.h.
#ifndef UNCLOSED_RECORDER_BOOKS_SESSIONS_H
#define UNCLOSED_RECORDER_BOOKS_SESSIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "recorder/books/recent.h"
#include "recorder/books/session.h"
#include "trace/trace_writer.h"

// How many sessions are out (inherited ones included).
uint32_t sessions_count(void);

// Whether anything can be in the table: there is a trace, or (in a forked child) there are
// inherited sessions, which are written into its own when that is opened. To be asked before
// session_take; if so, the trace is opened first.
bool sessions_any(void);

// In a forked child, before its first record: the sessions of the parent stay in the table, as
// inherited. clean: the locks were held during the fork; else the table may be torn and is dropped.
void sessions_forked(bool clean);

// Forgets everything, after a detach; other threads may be inside.
void sessions_clear(void);

// The child's own trace is open: writes the inherited sessions into it, reading what they refer to
// from `parent`.
void sessions_import(const struct trace_writer *parent);

// Notes that an inherited session was used in this process. true: for the first time.
bool session_mark_used(uint32_t kind, uint64_t handle);

// What the table remembers of a handle besides its record: SQLite's fingerprint, see sqlite.c.
void session_remember(uint32_t kind, uint64_t handle, uint64_t word);

// That of a session that was taken out of the table; 0: nothing.
uint64_t session_word(const struct session *session);

// Like session_each, with the remembered word, without the lock held while `visit` runs, and only
// for the sessions of `kind`. At most `most` are visited.
void sessions_visit(uint32_t kind, uint32_t most,
                    void (*visit)(struct trace_session *record, uint64_t word, void *data),
                    void *data);

// Take and give back all locks, around fork.
void sessions_lock_all(void);
void sessions_unlock_all(void);

#endif
