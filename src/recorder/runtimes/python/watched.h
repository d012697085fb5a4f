// The objects that are watched, by their address and by the weak reference to them. Guarded by the
// GIL. See watch.h for what that is good for.
#ifndef UNCLOSED_RECORDER_RUNTIMES_PYTHON_WATCHED_H
#define UNCLOSED_RECORDER_RUNTIMES_PYTHON_WATCHED_H

#include "recorder/core/table.h"
#include "recorder/runtimes/python/api.h"
#include "shared/spec.h"

struct watched {
    PyObject *handle;    // borrowed: only its address is used
    PyObject *reference; // owned
    const struct spec *spec;
    UT_hash_handle by_handle, by_reference;
};

// Takes over the reference. false: no memory; then it is still the caller's.
bool watched_add(PyObject *handle, PyObject *reference, const struct spec *spec);

// NULL: not watched.
struct watched *watched_of_handle(PyObject *handle);
struct watched *watched_of_reference(PyObject *reference);

// Gives up one, or all; `references`: they are dropped, and do not belong to an interpreter that is
// gone.
void watched_remove(struct watched *watched, bool reference);
void watched_remove_all(bool references);

// Interpreter shutdown begins. What a library keeps open for a thread that still runs is its own to
// leave open; with a thread that has ended it was lost. Inside recorder_enter.
void watched_shutdown(void);

#endif
