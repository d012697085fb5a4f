// Python pool objects: which pool of the trace each one is, and how it is described there.
//
// Guarded by the GIL: nothing here may be called without it. Knows sessions' pools (session.h) and
// nothing of how calls are seen.
#ifndef UNCLOSED_RECORDER_RUNTIMES_PYTHON_POOL_H
#define UNCLOSED_RECORDER_RUNTIMES_PYTHON_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "recorder/runtimes/python/api.h"
#include "trace/trace_format.h"

enum { PYTHON_POOL_NAME = 256, PYTHON_POOL_DETAIL = 64 };

// What is said of a pool; filled in by the callback of python_pool_of.
struct python_pool_text {
    char name[PYTHON_POOL_NAME];     // "" unknown; a URL without its password
    char detail[PYTHON_POOL_DETAIL]; // class of the pool
    uint32_t size, overflow;         // TRACE_UNKNOWN
    uint32_t timeout_ms;             // TRACE_UNKNOWN
    bool shared;                     // one record serves several checkouts at once
    bool is_async;                   // connections are made by tasks, not by the thread that asks
    char reserved[2];                // two of these are compared as bytes
};

struct python_pool {
    PyObject *object; // borrowed; valid while `weak` is alive
    PyObject *weak;   // weak reference to it, or NULL: it has none
    const char *kind;
    uint64_t key; // what tells it apart from others: addresses are used again
    struct python_pool_text text;
    uint32_t generation; // for which the references hold
    uint32_t ref, kind_ref, name_ref;
    struct trace_pool *record;
};

// The pool that `object` is; `describe` is called at first sight. NULL: not to be had. The pointer
// stays valid, what it says may change once the object is gone. Runs Python code; outside
// recorder_enter.
struct python_pool *python_pool_of(PyObject *object, const char *kind,
                                   void (*describe)(PyObject *object,
                                                    struct python_pool_text *text));

// Its TRACE_POOLS reference in the trace of this process; TRACE_NONE if lost. Inside
// recorder_enter.
uint32_t python_pool_ref(struct python_pool *pool);

// An acquire of this pool is under way from begin until end, which is given what begin said.
// Outside recorder_enter.
uint32_t python_pool_wait_begin(struct python_pool *pool);
void python_pool_wait_end(struct python_pool *pool, uint32_t wait);

// Whether everything that it may hand out is out, as far as its size is known.
bool python_pool_is_full(const struct python_pool *pool);

// Forgets all pools. GIL held.
void python_pool_drop(void);

// The interpreter is gone, and with it all pools.
void python_pool_forget(void);

#endif
