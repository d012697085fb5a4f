// The audit hook of the recorder in CPython's list of them (PEP 578).
#ifndef UNCLOSED_RECORDER_RUNTIMES_PYTHON_AUDIT_H
#define UNCLOSED_RECORDER_RUNTIMES_PYTHON_AUDIT_H

#include "recorder/runtimes/python/api.h"

// Adds the hook; false: it could not be. Before Py_Initialize, or with the GIL. At most one hook.
bool python_audit_add(python_audit_hook hook);

// To be called by that hook when the interpreter is about to free the list: takes the hook out of
// it if the interpreter would not free it in the way in which it was allocated.
void python_audit_end(python_audit_hook hook);

#endif
