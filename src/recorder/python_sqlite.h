// CPython's own sqlite3 module: how its connections end, and which handle one of them is.
#ifndef UNCLOSED_PYTHON_SQLITE_H
#define UNCLOSED_PYTHON_SQLITE_H

#include <stdbool.h>
#include <stdint.h>

#include "recorder/python_api.h"
#include "trace/trace_format.h"

// Learns about the module once it has been imported. GIL held; runs Python code. Cheap when done.
void python_sqlite_prepare(void);

// The value of recorder_language_end: how a handle ends that was closed by a call from `caller`.
// Plain C, any thread.
enum trace_end python_sqlite_end(const void *caller);

// What is behind a DBAPI connection (a sqlite3.Connection, or what wraps one) belongs to this pool
// from now on; TRACE_NONE: to none. itself: so does the session of the connection object, if it has
// one. GIL held, outside recorder_enter; runs Python code.
void python_sqlite_own(PyObject *connection, uint32_t pool, bool itself);

// The interpreter is gone, and with it what was kept of it.
void python_sqlite_forget(void);

#endif
