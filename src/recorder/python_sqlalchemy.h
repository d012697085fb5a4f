// SQLAlchemy: what happens in its pools, and where its sessions were created.
#ifndef UNCLOSED_PYTHON_SQLALCHEMY_H
#define UNCLOSED_PYTHON_SQLALCHEMY_H

#include <stdbool.h>

// Wraps what is to be seen of sqlalchemy.pool and sqlalchemy.orm, as far as these have been
// imported. true: nothing is left to do. GIL held; runs Python code.
bool python_sqlalchemy_wrap(void);

#endif
