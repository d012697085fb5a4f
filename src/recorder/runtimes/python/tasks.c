// Tasks of asyncio: see tasks.h.
//
// A future keeps whom it wakes in `_callbacks`, in C as in Python. wait_for's own task calls
// functools.partial(_release_waiter, waiter), and the waiter wakes the task that called wait_for:
// its callback is bound to that task.
#include "recorder/runtimes/python/tasks.h"

#include <string.h>

#include "recorder/runtimes/python/layout.h"

enum { DEEPEST = 64, MOST_CALLBACKS = 8 };

void python_task_walk_coroutine(struct python_walk *walk, PyObject *coroutine)
{
    PyObject *frames[DEEPEST];
    int count = 0;
    py.Py_IncRef(coroutine);
    while (coroutine && count < DEEPEST) {
        PyObject *frame = python_attribute(coroutine, "cr_frame");
        PyObject *awaited = frame ? python_attribute(coroutine, "cr_await") : NULL;
        if (frame && frame != py._Py_NoneStruct)
            frames[count++] = frame;
        else
            python_drop(frame);
        py.Py_DecRef(coroutine);
        coroutine = awaited;
    }
    python_drop(coroutine);
    while (count-- > 0) {
        python_walk_frames(walk, frames[count], false);
        py.Py_DecRef(frames[count]);
    }
}

// What `find` gives for the first callback of a future for which it gives anything. A new reference
// or NULL.
static PyObject *find_callback(PyObject *future, PyObject *(*find)(PyObject *callback))
{
    PyObject *callbacks = python_attribute(future, "_callbacks");
    PyObject *list =
        callbacks && callbacks != py._Py_NoneStruct ? py.PySequence_List(callbacks) : NULL;
    const ssize_t count = list ? py.PyList_Size(list) : 0;
    PyObject *found = NULL;
    for (ssize_t i = 0; i < count && i < MOST_CALLBACKS && !found; i++) {
        PyObject *callback = py.PyTuple_GetItem(py.PyList_GetItem(list, i), 0);
        found = callback ? find(callback) : NULL;
        py.PyErr_Clear();
    }
    py.PyErr_Clear();
    python_drop(list);
    python_drop(callbacks);
    return found;
}

// The future behind functools.partial(_release_waiter, future).
static PyObject *waiter_of(PyObject *callback)
{
    PyObject *function = python_attribute(callback, "func");
    PyObject *name = function ? python_attribute(function, "__name__") : NULL;
    const char *text = python_text(name);
    const bool is_waiter = text && strcmp(text, "_release_waiter") == 0;
    PyObject *arguments = is_waiter ? python_attribute(callback, "args") : NULL;
    PyObject *waiter = arguments ? py.PyTuple_GetItem(arguments, 0) : NULL;
    if (waiter)
        py.Py_IncRef(waiter);
    python_drop(arguments);
    python_drop(name);
    python_drop(function);
    return waiter;
}

// The coroutine of the task that a callback is bound to.
static PyObject *coroutine_of(PyObject *callback)
{
    PyObject *task = python_attribute(callback, "__self__");
    PyObject *get = task ? python_attribute(task, "get_coro") : NULL;
    PyObject *coroutine = get ? py.PyObject_CallObject(get, NULL) : NULL;
    python_drop(get);
    python_drop(task);
    return coroutine;
}

void python_task_walk_waiting(struct python_walk *walk, PyObject *task)
{
    struct python_walk_frame loop[DEEPEST];
    const uint32_t at = walk->loop < walk->count ? walk->loop : walk->count;
    const uint32_t count = walk->count - at;
    if (!python_layout_trusted || count > DEEPEST)
        return;
    PyObject *waiter = find_callback(task, waiter_of);
    PyObject *coroutine = waiter ? find_callback(waiter, coroutine_of) : NULL;
    if (coroutine) {
        memcpy(loop, walk->frames + at, count * sizeof *loop);
        walk->count = at;
        python_task_walk_coroutine(walk, coroutine);
        for (uint32_t i = 0; i < count && walk->count < STACK_FRAMES; i++)
            walk->frames[walk->count++] = loop[i];
    }
    python_drop(coroutine);
    python_drop(waiter);
}
