// Who has a checked-out connection in hand: looked for once, at an attach.
//
// Looks at what SQLAlchemy lists by itself (its sessions) and at the variables of functions that
// run or wait (threads, asyncio tasks), not at the heap: searching that holds the GIL for a tenth
// of a second per million objects. Plain reads of objects that keep each other alive, no Python
// code, so nothing changes meanwhile. GIL held, outside recorder_enter.
#ifndef UNCLOSED_RECORDER_RUNTIMES_PYTHON_HOLDERS_H
#define UNCLOSED_RECORDER_RUNTIMES_PYTHON_HOLDERS_H

#include <stdint.h>

#include "recorder/books/session.h"
#include "recorder/runtimes/python/api.h"

// Something that is looked for.
struct python_held {
    PyObject *object;    // a _ConnectionFairy: only its address is used
    const char *through; // what of SQLAlchemy's has it: "a Session", "a Connection"; or NULL
    bool done;           // set by the callback: not to be looked for any more
};

struct python_holder {
    char variable[64];          // the variable's name; "": not known
    const struct stack *stack;  // of its function, Python frames only
    uint32_t tid, thread, task; // kernel thread id or 0, string references or TRACE_NONE
};

// Calls `found` inside recorder_enter for each of `held` that a variable has; the stack begins with
// the innermost function that has it and is not SQLAlchemy's own. Fills in `through` for all.
void python_holders_find(struct python_held *held, size_t count,
                         void (*found)(size_t index, const struct python_holder *holder,
                                       void *data),
                         void *data);

// Makes the layout of frames known on a thread that has none of its own, by running a function of
// importlib's. GIL held.
void python_holders_prepare(void);

#endif
