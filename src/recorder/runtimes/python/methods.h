// Pools written in Python that are named by call specs ("python:module:Class.method").
#ifndef UNCLOSED_RECORDER_RUNTIMES_PYTHON_METHODS_H
#define UNCLOSED_RECORDER_RUNTIMES_PYTHON_METHODS_H

#include <stdbool.h>
#include <stdint.h>

#include "recorder/runtimes/python/wrap.h"
#include "shared/spec.h"

// A module is about to be imported. true: a spec names something in it. GIL held.
bool python_methods_importing(const char *module);

// Wraps what the specs name in the modules of which the import has ended since. executed: see
// python_module_ready. true: none is being imported any more. GIL held; runs Python code.
bool python_methods_wrap(const char *executed);

// The same for all modules that have been imported before anybody listened.
void python_methods_imported(void);

// What a method that a spec describes is wrapped with; its data is the spec.
PyObject *python_method_called(const struct python_invocation *invocation);

// A handle was acquired, as `spec` says, in a call that began then (recorder_now_coarse). database:
// in words, or NULL. GIL held, outside recorder_enter; runs Python code.
void python_method_acquired(const struct spec *spec, PyObject *handle, uint64_t started,
                            const char *database);

// The interpreter is gone, and with it what was wrapped.
void python_methods_forget(void);

#endif
