// SQLAlchemy: what happens in its pools, and where its sessions were created.
#ifndef UNCLOSED_RECORDER_RUNTIMES_PYTHON_SQLALCHEMY_H
#define UNCLOSED_RECORDER_RUNTIMES_PYTHON_SQLALCHEMY_H

#include "recorder/runtimes/python/api.h"

// Each wraps or learns what is to be seen of one module, sqlalchemy.pool.base, .engine.base,
// .orm.session and .ext.asyncio.session, once it has been imported. GIL held; run Python code.
void python_sqlalchemy_pools(void);
void python_sqlalchemy_engine(void);
void python_sqlalchemy_sessions(void);
void python_sqlalchemy_async(void);

// The interpreter is gone, and with it what was learnt of these modules.
void python_sqlalchemy_forget(void);

// Keeps nothing of it any more. GIL held.
void python_sqlalchemy_drop(void);

// The handle behind a _ConnectionRecord belongs to its pool; one that was opened before an attach
// becomes known. GIL held, outside recorder_enter.
struct python_pool;
void python_sqlalchemy_adopt(PyObject *record, struct python_pool *pool);

#endif
