// Seeing the result of an `async def` function: an awaitable in the place of its coroutine.
#ifndef UNCLOSED_RECORDER_RUNTIMES_PYTHON_AWAIT_H
#define UNCLOSED_RECORDER_RUNTIMES_PYTHON_AWAIT_H

#include "recorder/runtimes/python/api.h"

struct python_await {
    // The coroutine has returned `result` (borrowed), or raised if that is NULL: the exception is
    // then set and must stay set. Called at most once, with the GIL, where the coroutine ran.
    void (*done)(PyObject *result, void *data);
    void (*drop)(void *data); // the data is not needed any more
    void *data;
    uint32_t owner, generation; // what a step of it opens belongs to this pool, in this recording
};

// Whether it is a coroutine, to be wrapped.
bool python_await_is_coroutine(PyObject *object);

// What is to be given to the program in the place of `coroutine`, of which the reference is taken
// over. If there is no memory, the coroutine itself; `drop` is then called.
PyObject *python_await_wrap(PyObject *coroutine, const struct python_await *watch);

// The interpreter is gone, and with it what was awaited.
void python_await_forget(void);

#endif
