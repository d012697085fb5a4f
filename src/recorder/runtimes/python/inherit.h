// What SQLAlchemy's pools have out when the recorder comes into a program that runs already.
#ifndef UNCLOSED_RECORDER_RUNTIMES_PYTHON_INHERIT_H
#define UNCLOSED_RECORDER_RUNTIMES_PYTHON_INHERIT_H

// Records every connection that is checked out right now as inherited, with what is found to hold
// it. Nothing where SQLAlchemy's pools have not been imported. GIL held; runs no Python code but
// what describing a pool takes. Python's collector should be off: what it frees on this thread may
// belong to another one.
void python_inherit_checkouts(void);

// The same for those that were taken since by calls which had begun before, if there are more out
// than are known. To be asked now and then: looks at most ten times a second. GIL held, outside
// recorder_enter; may run Python code.
void python_inherit_more(void);

// One more checkout is known, or (-1) one less. GIL held.
void python_inherit_count(int change);

// Nothing is to be inherited any more. GIL held.
void python_inherit_drop(void);

// The interpreter is gone, and with it what could be inherited.
void python_inherit_forget(void);

#endif
