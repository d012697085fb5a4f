// Exceptions that leave a function which holds a session.
#ifndef UNCLOSED_RECORDER_RUNTIMES_PYTHON_TRACEBACK_H
#define UNCLOSED_RECORDER_RUNTIMES_PYTHON_TRACEBACK_H

#include "recorder/runtimes/python/api.h"

// Begins to look at tracebacks when they go away; once. GIL held.
void python_traceback_watch(void);

// SQLAlchemy's classes, for locals that are not themselves what was noted (created.h):
// engine.base.Connection and ext.asyncio's AsyncSession. NULL: not imported. Kept.
void python_traceback_connection_class(PyObject *type);
void python_traceback_async_class(PyObject *type);

// Looks at them no more. GIL held.
void python_traceback_undo(void);

// Keeps no class any more. GIL held.
void python_traceback_drop(void);

#endif
