// Weak references with a callback in C, kept until the session ends.
#include "recorder/runtimes/python/watch.h"

#include "recorder/books/session.h"
#include "recorder/core/intern.h"
#include "recorder/core/recorder.h"
#include "recorder/runtimes/python/shutdown.h"
#include "recorder/runtimes/python/watched.h"

static PyObject *callback;

enum trace_end python_watch_end(const struct session *session, const struct spec *spec)
{
    bool pooled = session->record->flags & TRACE_SESSION_POOLED;
    if (python_is_shutdown())
        return pooled ? TRACE_RELEASED : TRACE_SHUTDOWN;
    return pooled && !spec->kept ? TRACE_RELEASED : TRACE_RECLAIMED;
}

static void end(struct session *session, const struct spec *spec)
{
    if (spec->lost && !python_is_shutdown())
        session_lose(session);
    else
        session_end(session, python_watch_end(session, spec), session->taken_ns);
}

static PyObject *on_death(PyObject *self, PyObject *reference)
{
    struct watched *watched = watched_of_reference(reference);
    (void)self;
    if (watched) {
        struct session session;
        (void)python_is_shutdown(); // marks what is still out, if shutdown has begun
        if (recorder_enter()) {
            if (recorder_trace.header &&
                session_take(name_intern(watched->spec->kind), (uint64_t)(uintptr_t)watched->handle,
                             &session))
                end(&session, watched->spec);
            recorder_leave();
        }
        watched_remove(watched, true);
    }
    py.Py_IncRef(py._Py_NoneStruct);
    return py._Py_NoneStruct;
}

const char *python_watch_kind(PyObject *handle)
{
    const struct watched *watched = watched_of_handle(handle);
    return watched ? watched->spec->kind : NULL;
}

void python_watch_add(PyObject *handle, PyObject *pool, const struct spec *spec)
{
    static struct python_method definition = {"released", on_death, PYTHON_METHOD_O, NULL};
    python_watch_remove(handle);
    if (!callback)
        callback = py.PyCFunction_NewEx(&definition, NULL, NULL);
    PyObject *reference = callback ? py.PyWeakref_NewRef(handle, callback) : NULL;
    py.PyErr_Clear();
    if (!reference && callback && pool && spec->bound)
        reference = py.PyWeakref_NewRef(pool, callback);
    py.PyErr_Clear();
    if (reference && !watched_add(handle, reference, spec))
        python_drop(reference);
}

void python_watch_remove(PyObject *handle)
{
    struct watched *watched = watched_of_handle(handle);
    if (watched)
        watched_remove(watched, true);
}

void python_watch_drop(void)
{
    watched_remove_all(true);
}

void python_watch_forget(void)
{
    watched_remove_all(false);
    callback = NULL;
}
