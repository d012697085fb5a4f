// Drivers and pools that nobody has described, by what is customary: PEP 249, and names of methods.
#ifndef UNCLOSED_RECORDER_RUNTIMES_PYTHON_CONVENTION_H
#define UNCLOSED_RECORDER_RUNTIMES_PYTHON_CONVENTION_H

#include "recorder/runtimes/python/api.h"
#include "shared/spec.h"

// The code of a module (borrowed; NULL: none) has run. If it says that it follows PEP 249, its
// connect() is followed: a connection that no spec describes is counted by convention. GIL held;
// runs Python code.
void python_convention_look(PyObject *module);

// Wraps what looks like methods of pools in the classes of a module (complete), as `spec` asks, of
// which the function is SPEC_GUESS: acquire, getconn or get_connection; release or putconn. spec:
// kept. GIL held; runs Python code.
void python_convention_guess(const char *module, const struct spec *spec);

#endif
