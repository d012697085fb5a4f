// What SQLAlchemy's pools have out when the recorder comes into a program that runs already.
#ifndef UNCLOSED_PYTHON_INHERIT_H
#define UNCLOSED_PYTHON_INHERIT_H

// Records every connection that is checked out right now as inherited, with what is found to hold
// it. Nothing where SQLAlchemy's pools have not been imported. GIL held; runs no Python code but
// what describing a pool takes. Python's collector should be off: what it frees on this thread may
// belong to another one.
void python_inherit_checkouts(void);

#endif
