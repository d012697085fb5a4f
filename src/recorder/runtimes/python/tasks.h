// Tasks of asyncio: where a coroutine that waits is, and who waits for the task that runs.
//
// GIL held, outside recorder_enter: attributes are asked for. Knows frames, and nothing of
// sessions.
#ifndef UNCLOSED_RECORDER_RUNTIMES_PYTHON_TASKS_H
#define UNCLOSED_RECORDER_RUNTIMES_PYTHON_TASKS_H

#include "recorder/runtimes/python/frames.h"

// Adds the frames of a coroutine and of those it waits for, innermost first. The coroutines keep
// their frames. Only while python_layout_trusted.
void python_task_walk_coroutine(struct python_walk *walk, PyObject *coroutine);

// Up to 3.11 asyncio.wait_for runs what it is given in a task of its own. If `task` is such a one,
// puts the frames of the task that waits for it where this thread's walk comes to the event loop:
// they are the callers. An exception that is set is lost.
void python_task_walk_waiting(struct python_walk *walk, PyObject *task);

#endif
