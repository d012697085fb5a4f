// Extension modules that call traced functions: what closes the handles that they release.
#ifndef UNCLOSED_RECORDER_RUNTIMES_PYTHON_DRIVERS_H
#define UNCLOSED_RECORDER_RUNTIMES_PYTHON_DRIVERS_H

#include <stdbool.h>

#include "recorder/runtimes/python/api.h"
#include "recorder/runtimes/runtime.h"

// Whether a module that calls traced functions was loaded since python_drivers_look. Any thread;
// cheap.
bool python_drivers_new(void);

// Learns how the objects of such modules go away. To be called when a module has been loaded, and
// again when it was used first, for its types are made in between. GIL held; runs Python code.
void python_drivers_look(void);

// A handle was opened by native code: whether python_drivers_look should be called once more. Any
// thread; cheap.
bool python_drivers_used(void);

// What closes the handle that a call has released. Plain C, any thread.
enum runtime_closer python_drivers_closer(const struct runtime_call *call);

// Whether an object is of such a module's types, or of one derived from them, and the session of
// the handle that is kept in it: one that is out and belongs to no pool, else NULL. The session:
// inside recorder_enter. GIL held.
bool python_drivers_is_object(const PyObject *object);
struct trace_session *python_drivers_session(const PyObject *object);

// Detach: types are as they were. GIL held.
void python_drivers_undo(void);

// Keeps no type alive any more; what closes a handle is seen on. GIL held.
void python_drivers_drop(void);

// The interpreter is gone.
void python_drivers_forget(void);

#endif
