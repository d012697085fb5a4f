// SQLAlchemy: what happens in its pools, and where its sessions were created.
#ifndef UNCLOSED_PYTHON_SQLALCHEMY_H
#define UNCLOSED_PYTHON_SQLALCHEMY_H

// Each wraps or learns what is to be seen of one module, sqlalchemy.pool.base, .engine.base,
// .orm.session and .ext.asyncio.session, once it has been imported. GIL held; run Python code.
void python_sqlalchemy_pools(void);
void python_sqlalchemy_engine(void);
void python_sqlalchemy_sessions(void);
void python_sqlalchemy_async(void);

#endif
