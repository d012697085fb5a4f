// Drivers that nobody has described, by what is customary: PEP 249.
#ifndef UNCLOSED_RECORDER_RUNTIMES_PYTHON_CONVENTION_H
#define UNCLOSED_RECORDER_RUNTIMES_PYTHON_CONVENTION_H

#include "recorder/runtimes/python/api.h"

// The code of a module (borrowed; NULL: none) has run. If it says that it follows PEP 249, its
// connect() is followed: a connection that no spec describes is counted by convention. GIL held;
// runs Python code.
void python_convention_look(PyObject *module);

#endif
