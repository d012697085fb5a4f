// Seeing the result of an `async def` function: an awaitable in the place of its coroutine.
#ifndef UNCLOSED_RECORDER_RUNTIMES_PYTHON_AWAIT_H
#define UNCLOSED_RECORDER_RUNTIMES_PYTHON_AWAIT_H

#include "recorder/runtimes/python/api.h"

struct python_await {
    // Before and after the coroutine runs, each time that it does. With the GIL, on that thread; an
    // exception may be set, and stays. thrown: an exception is thrown into it; the frames of those
    // that wait for it are not there then.
    void (*enter)(bool thrown, void *data);
    void (*leave)(void *data);
    void (*paused)(void *data); // it waits for the first time. The same holds; called after leave
    // The coroutine has returned `result` (borrowed), or raised if that is NULL: the exception is
    // then set and must stay set. Called at most once, with the GIL, where the coroutine ran.
    void (*done)(PyObject *result, void *data);
    void (*drop)(void *data); // the data is not needed any more
    void *data;
};

// Whether it is a coroutine, to be wrapped; one made by Cython is.
bool python_await_is_coroutine(PyObject *object);

// What is to be given to the program in the place of `coroutine`, of which the reference is taken
// over. If there is no memory, the coroutine itself; `drop` is then called.
PyObject *python_await_wrap(PyObject *coroutine, const struct python_await *watch);

// The interpreter is gone, and with it what was awaited.
void python_await_forget(void);

#endif
