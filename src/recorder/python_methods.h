// Pools written in Python that are named by call specs ("python:module:Class.method").
#ifndef UNCLOSED_PYTHON_METHODS_H
#define UNCLOSED_PYTHON_METHODS_H

#include <stdbool.h>

// Whether a spec names something in this module. GIL held.
bool python_methods_wanted(const char *module);

// Wraps what the specs name in the modules imported by now. true: none of these is being imported
// just now. GIL held; runs Python code.
bool python_methods_wrap(void);

#endif
