// CPython's own sqlite3 module: how its connections end, and which handle one of them is.
#ifndef UNCLOSED_RECORDER_RUNTIMES_PYTHON_SQLITE_H
#define UNCLOSED_RECORDER_RUNTIMES_PYTHON_SQLITE_H

#include <stdbool.h>
#include <stdint.h>

#include "recorder/runtimes/python/api.h"
#include "recorder/runtimes/runtime.h"

// Learns about the module once it has been imported. GIL held; runs Python code. Cheap when done.
void python_sqlite_prepare(void);

// Whether it is a connection, also of a class derived from sqlite3.Connection, and its session if
// that is out, or was when the connection was finalized, and belongs to no pool; else NULL. The
// session: inside recorder_enter. GIL held.
bool python_sqlite_is_some_connection(PyObject *object);
struct trace_session *python_sqlite_session(PyObject *connection);

// What closes the handle that a call has released. Plain C, any thread.
enum runtime_closer python_sqlite_closer(const struct runtime_call *call);

// Whether the object is a sqlite3.Connection, and not of a class derived from it. GIL held.
bool python_sqlite_is_connection(const PyObject *object);

// What is behind a DBAPI connection (a sqlite3.Connection, or what wraps one) belongs to this pool
// from now on; TRACE_NONE: to none. itself: so does the session of the connection object, if it has
// one. GIL held, outside recorder_enter; runs Python code.
void python_sqlite_own(PyObject *connection, uint32_t pool, bool itself);

// Puts the module's own close() back. GIL held.
void python_sqlite_undo(void);

// The interpreter is gone, and with it what was kept of it.
void python_sqlite_forget(void);

// Keeps no class any more; what closes a connection is seen on. GIL held.
void python_sqlite_drop(void);

#endif
