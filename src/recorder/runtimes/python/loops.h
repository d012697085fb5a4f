// The event loops that run: asyncio has no list of them.
#ifndef UNCLOSED_RECORDER_RUNTIMES_PYTHON_LOOPS_H
#define UNCLOSED_RECORDER_RUNTIMES_PYTHON_LOOPS_H

#include "recorder/runtimes/python/frames.h"

enum { PYTHON_LOOPS_MOST = 32 };

// Finds them among the variables of functions that run: a loop is one itself, or belongs to an
// asyncio.Runner that is one.
// walk: room to work in. loops: where they are written, as new references. Result: how many.
// GIL held, python_layout_trusted; no thread runs Python code meanwhile, for the GIL is not let go.
// Not for signal handlers.
int python_loops_find(struct python_walk *walk, PyObject *loops[PYTHON_LOOPS_MOST]);

#endif
