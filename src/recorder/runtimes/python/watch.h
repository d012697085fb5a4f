// Objects whose death without a release ends a session as reclaimed. Guarded by the GIL.
#ifndef UNCLOSED_RECORDER_RUNTIMES_PYTHON_WATCH_H
#define UNCLOSED_RECORDER_RUNTIMES_PYTHON_WATCH_H

#include "recorder/books/session.h"
#include "recorder/runtimes/python/api.h"
#include "shared/spec.h"

// Watches the handle of a session of this spec, which must stay valid. pool: it was taken from, or
// NULL: watched in its place if the spec says that it lives as long.
void python_watch_add(PyObject *handle, PyObject *pool, const struct spec *spec);

// The kind of the session of this handle; NULL: it is not watched.
const char *python_watch_kind(PyObject *handle);

// How a session ends that its object's death has ended. What a pool opened is the pool's to drop.
// What a library keeps for the program goes away unclosed with a thread that has ended.
enum trace_end python_watch_end(const struct session *session, const struct spec *spec);

// Its session has ended otherwise.
void python_watch_remove(PyObject *handle);

// Watches nothing any more. GIL held.
void python_watch_drop(void);

// The interpreter is gone, and with it what was watched.
void python_watch_forget(void);

#endif
