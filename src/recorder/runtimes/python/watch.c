// Weak references with a callback in C, kept until the session ends.
#include "recorder/runtimes/python/watch.h"

#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "recorder/books/session.h"
#include "recorder/core/recorder.h"
#include "recorder/core/table.h"
#include "recorder/runtimes/python/life.h"

struct watched {
    PyObject *handle;    // borrowed: only its address is used
    PyObject *reference; // owned
    const struct spec *spec;
    UT_hash_handle by_handle, by_reference;
};
static struct watched *handles, *references;
static PyObject *callback;

static void forget(struct watched *watched)
{
    HASH_DELETE(by_handle, handles, watched);
    HASH_DELETE(by_reference, references, watched);
    PyObject *reference = watched->reference;
    arena_free(watched, sizeof *watched);
    py.Py_DecRef(reference);
}

static bool thread_runs(uint32_t tid)
{
    return syscall(SYS_tgkill, (long)getpid(), (long)tid, 0L) == 0;
}

void python_watch_shutdown(void)
{
    struct watched *watched, *next;
    HASH_ITER (by_handle, handles, watched, next) {
        struct trace_session *record = watched->spec->kept
                                           ? session_record(name_intern(watched->spec->kind),
                                                            (uint64_t)(uintptr_t)watched->handle)
                                           : NULL;
        if (record && !thread_runs(record->tid))
            __atomic_and_fetch(&record->flags, ~(uint32_t)TRACE_SESSION_POOLED, __ATOMIC_RELAXED);
    }
}

static enum trace_end end_of(const struct session *session)
{
    if (!python_life_is_shutdown())
        return TRACE_RECLAIMED;
    return session->record->flags & TRACE_SESSION_POOLED ? TRACE_RELEASED : TRACE_SHUTDOWN;
}

static PyObject *on_death(PyObject *self, PyObject *reference)
{
    struct watched *watched;
    (void)self;
    HASH_FIND(by_reference, references, &reference, sizeof reference, watched);
    if (watched) {
        struct session session;
        (void)python_life_is_shutdown(); // marks what is still out, if shutdown has begun
        if (recorder_enter()) {
            if (recorder_trace.header &&
                session_take(name_intern(watched->spec->kind), (uint64_t)(uintptr_t)watched->handle,
                             &session))
                session_end(&session, end_of(&session), session.taken_ns);
            recorder_leave();
        }
        forget(watched);
    }
    py.Py_IncRef(py._Py_NoneStruct);
    return py._Py_NoneStruct;
}

void python_watch_add(PyObject *handle, const struct spec *spec)
{
    static struct python_method definition = {"released", on_death, PYTHON_METHOD_O, NULL};
    python_watch_remove(handle);
    if (!callback)
        callback = py.PyCFunction_NewEx(&definition, NULL, NULL);
    PyObject *reference = callback ? py.PyWeakref_NewRef(handle, callback) : NULL;
    struct watched *watched = reference ? arena_alloc(sizeof *watched) : NULL;
    py.PyErr_Clear();
    if (!watched) {
        python_drop(reference);
        return;
    }
    watched->handle = handle;
    watched->reference = reference;
    watched->spec = spec;
    HASH_ADD(by_handle, handles, handle, sizeof handle, watched);
    HASH_ADD(by_reference, references, reference, sizeof reference, watched);
}

void python_watch_remove(PyObject *handle)
{
    struct watched *watched;
    HASH_FIND(by_handle, handles, &handle, sizeof handle, watched);
    if (watched)
        forget(watched);
}

void python_watch_drop(void)
{
    struct watched *watched, *next;
    HASH_ITER (by_handle, handles, watched, next)
        forget(watched);
}

void python_watch_forget(void)
{
    struct watched *watched, *next;
    HASH_ITER (by_handle, handles, watched, next) {
        HASH_DELETE(by_handle, handles, watched);
        HASH_DELETE(by_reference, references, watched);
        arena_free(watched, sizeof *watched);
    }
    callback = NULL;
}
