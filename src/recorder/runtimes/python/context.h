// What is known of the moment at which Python code acquires something: where it is, on whose
// behalf, in which asyncio task and test. Knows nothing of pools.
#ifndef UNCLOSED_RECORDER_RUNTIMES_PYTHON_CONTEXT_H
#define UNCLOSED_RECORDER_RUNTIMES_PYTHON_CONTEXT_H

#include <stdint.h>

#include "recorder/runtimes/python/frames.h"
#include "recorder/stacks/stack_memo.h"

struct python_moment {
    struct python_walk walk;
    PyObject *task; // str, owned, or NULL: the name of the asyncio task
};

// Looks around: the frames of this thread and, under SQLAlchemy's asyncio adapter, those of the
// coroutine that waits for it; the task; the test. GIL held, outside recorder_enter (may run Python
// code); an exception that is set is kept.
void python_moment_take(struct python_moment *moment);
void python_moment_drop(struct python_moment *moment);

// The stack of the moment, native frames included, and the name of its task. Inside recorder_enter.
// origin: where the native stack begins, or NULL if that is not known.
void python_moment_stack(const struct python_moment *moment, const struct stack_origin *origin,
                         struct stack *stack);
uint32_t python_moment_task(const struct python_moment *moment);

// The stack of the Python frames alone, interned; TRACE_NONE if lost. Inside recorder_enter.
uint32_t python_moment_intern(const struct python_moment *moment, uint64_t now_ns);

// Notices what pytest says it is running (PYTEST_CURRENT_TEST). GIL held: os.environ is changed
// with the GIL held only, so that reading `environ` here races with nobody.
void python_context_test(void);

// Once per thread: what Python calls it, which the kernel does not know. GIL held, outside
// recorder_enter.
void python_context_thread(void);

// asyncio has been imported.
void python_context_asyncio(void);

// The interpreter is gone, and with it what was kept of it.
void python_context_forget(void);

// The same while it is there. GIL held.
void python_context_drop(void);

#endif
