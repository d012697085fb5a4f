// Checkouts of SQLAlchemy's StaticPool, which hands out one connection record many times over:
// which weak reference stands for which _ConnectionFairy. Guarded by the GIL.
#ifndef UNCLOSED_RECORDER_RUNTIMES_PYTHON_SHARED_H
#define UNCLOSED_RECORDER_RUNTIMES_PYTHON_SHARED_H

#include <stdbool.h>
#include <stdint.h>

#include "recorder/runtimes/python/api.h"

// A checkout of a shared record began: `reference` is the record's `fairy_ref`, which refers to the
// new fairy.
void python_shared_add(PyObject *fairy, PyObject *reference);

// Whether there is any, so that others need not ask.
bool python_shared_any(void);

// The code gave `fairy` back; false: it is not one of these.
bool python_shared_released(PyObject *fairy);

// The fairy behind `reference` was collected: its address, or 0 if it is not one of these.
uint64_t python_shared_collected(PyObject *reference);

// One of them that is dead, where it is not said which: its address, or 0 if all are alive.
uint64_t python_shared_dead(void);

// Forgets all of them. GIL held.
void python_shared_drop(void);

// The interpreter is gone, and with it what was checked out.
void python_shared_forget(void);

#endif
