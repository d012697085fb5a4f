// CPython in the traced process. docs/python.md tells how it works.
//
// Everything behind it may be called whether or not there is an interpreter, from any thread,
// without the GIL, and never waits for the GIL (`leave` by a thread of its own, for a second).
#ifndef UNCLOSED_RECORDER_RUNTIMES_PYTHON_PYTHON_H
#define UNCLOSED_RECORDER_RUNTIMES_PYTHON_PYTHON_H

#include "recorder/runtimes/runtime.h"

extern const struct runtime python_runtime;

#endif
