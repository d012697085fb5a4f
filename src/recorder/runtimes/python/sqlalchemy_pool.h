// What is to be said of one of SQLAlchemy's pools: class, URL, size.
#ifndef UNCLOSED_RECORDER_RUNTIMES_PYTHON_SQLALCHEMY_POOL_H
#define UNCLOSED_RECORDER_RUNTIMES_PYTHON_SQLALCHEMY_POOL_H

#include "recorder/runtimes/python/pool.h"

// The kind of pool in a trace.
extern const char python_sqlalchemy_kind[];

// Learns what an engine is; sqlalchemy.engine.base has been imported. GIL held.
void python_sqlalchemy_pool_engine(void);

// The interpreter is gone, and with it what an engine is.
void python_sqlalchemy_pool_forget(void);

// Keeps nothing of it any more. GIL held.
void python_sqlalchemy_pool_drop(void);

// The entry of a pool object, made at first sight. NULL: not to be had. Runs Python code; outside
// recorder_enter.
struct python_pool *python_sqlalchemy_pool(PyObject *pool);

// The connection of a _ConnectionRecord belongs to this pool, though it was opened before the
// attach. Runs Python code; outside recorder_enter.
void python_sqlalchemy_pool_adopt(PyObject *record, struct python_pool *pool);

#endif
