// Where objects were created and what they hold: a small memory by the object's address.
//
// Guarded by the GIL. An object that is created at the address of one that died takes its place, so
// that nothing has to be noticed when objects die, and the memory is bounded by the most that ever
// lived at once.
#ifndef UNCLOSED_RECORDER_RUNTIMES_PYTHON_CREATED_H
#define UNCLOSED_RECORDER_RUNTIMES_PYTHON_CREATED_H

#include <stdint.h>

#include "recorder/runtimes/python/api.h"
#include "trace/trace_format.h"

// Notes that `object` was created with this stack (a TRACE_STACKS reference). Inside
// recorder_enter.
void python_created_note(PyObject *object, uint32_t stack);

// The stack noted for it in this process; TRACE_NONE: none. Inside recorder_enter.
uint32_t python_created_find(PyObject *object);

// Notes that `object` holds the session of this slot (a TRACE_SESSIONS reference). Inside
// recorder_enter.
void python_created_hold(PyObject *object, uint32_t slot);

// The session it was last said to hold, if that is out still; NULL. Inside recorder_enter.
struct trace_session *python_created_session(PyObject *object);

#endif
