// Wrapping Python functions and methods: a callable in the place of the original that calls it.
//
// To the program the wrapper looks like the function it stands for (attributes, type, signature,
// source): only its own type tells. It adds no Python frame, so tracebacks stay as they were.
// Knows nothing of sessions.
#ifndef UNCLOSED_RECORDER_RUNTIMES_PYTHON_WRAP_H
#define UNCLOSED_RECORDER_RUNTIMES_PYTHON_WRAP_H

#include <stdbool.h>
#include <stddef.h>

#include "recorder/runtimes/python/api.h"
#include "recorder/stacks/stack_memo.h"

// One call of a wrapped function, in either calling convention.
struct python_invocation {
    PyObject *target;      // what was wrapped
    const void *data;      // what python_wrap was given
    PyObject *const *args; // positional ones first, then those in `names`
    size_t nargsf;
    size_t positional;
    PyObject *names;                   // tuple of str or NULL
    const struct stack_origin *origin; // where the native stack begins: the caller of the wrapper
    PyObject *tuple, *keywords;        // 3.8: the same as a tuple and a dict or NULL; args is NULL
};

typedef PyObject *(*python_wrapped)(const struct python_invocation *call);

// The original's result. Exceptions and all are the program's own.
PyObject *python_invoke(const struct python_invocation *call);

// An argument by position, or if `name` is not NULL by name; NULL if it was not given. Borrowed.
PyObject *python_invocation_argument(const struct python_invocation *call, size_t position,
                                     const char *name);

// Puts a wrapper in the place of `path` ("Class.method" or "function") in a module that has been
// imported. Plain functions, class methods and static methods, as they stand in that class.
// data: kept. false: not there, or not to be wrapped. GIL held; runs Python code. Nothing happens
// where it is wrapped already with the same; else the wrapper is wrapped around.
bool python_wrap(const char *module, const char *path, python_wrapped wrapped, const void *data);

// The same for an attribute of a class or module, as it stands in that one; in_class: whether its
// functions bind to instances. true also if a wrapper stands there already. No exception is set.
bool python_wrap_in(PyObject *holder, const char *name, bool in_class, python_wrapped wrapped,
                    const void *data);

// Puts back all originals where something of ours still stands; wrappers that are being called go
// on. GIL held; runs Python code.
void python_wrap_undo(void);

// Keeps nothing of what was wrapped any more; wrappers stay where they are, and die with that. GIL
// held.
void python_wrap_give_back(void);

// The interpreter is gone, and with it what was wrapped.
void python_wrap_forget(void);

#endif
