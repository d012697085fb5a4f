// Python pools by call spec: acquire and release seen in the calls of their methods.
//
// The handle is an object, known by its address. Where it can be weakly referenced, its death
// without a release ends the session as reclaimed.
#include "recorder/python_methods.h"

#include <stdio.h>
#include <string.h>

#include "recorder/python_context.h"
#include "recorder/python_life.h"
#include "recorder/python_pool.h"
#include "recorder/python_watch.h"
#include "recorder/python_wrap.h"
#include "recorder/recorder.h"
#include "recorder/spec.h"

bool python_methods_wanted(const char *module)
{
    int count;
    const struct spec *specs = recorder_specs(&count);
    size_t length = strlen(module);
    for (int i = 0; i < count; i++)
        if (specs[i].python && strncmp(specs[i].function, module, length) == 0 &&
            specs[i].function[length] == ':')
            return true;
    return false;
}

// What a call says, by the roles of its spec.
struct method_call {
    const struct spec *spec;
    PyObject *handle;            // borrowed; NULL: to be the result
    PyObject *pool;              // borrowed or NULL
    const char *name, *database; // or NULL
};

// Reads the arguments; false: the call is not meant (a value differs).
static bool read_arguments(const struct python_invocation *invocation, struct method_call *call)
{
    const struct spec *spec = call->spec;
    for (int i = 0; i < spec->argument_count; i++) {
        const struct spec_argument *argument = &spec->argument[i];
        PyObject *value = python_invocation_argument(invocation, (size_t)i,
                                                     argument->name[0] ? argument->name : NULL);
        if (argument->role == SPEC_EQUALS) {
            long number = value ? py.PyLong_AsLong(value) : 0;
            py.PyErr_Clear();
            if (number != argument->equals)
                return false;
        }
        if (!value || value == py._Py_NoneStruct)
            continue;
        if (argument->role == SPEC_HANDLE)
            call->handle = value;
        else if (argument->role == SPEC_POOL)
            call->pool = value;
        else if (argument->role == SPEC_POOL_NAME)
            call->name = python_text(value);
        else if (argument->role == SPEC_DATABASE)
            call->database = python_text(value);
    }
    return true;
}

static void describe(PyObject *pool, struct python_pool_text *text)
{
    static const char *const sizes[] = {"max_size", "maxconn", "_maxconnections", "max_connections",
                                        "_max_connections"};
    PyObject *name = python_attribute(pool->type, "__name__");
    const char *class_name = python_text(name);
    snprintf(text->detail, sizeof text->detail, "%s", class_name ? class_name : "");
    python_drop(name);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes && text->size == TRACE_UNKNOWN; i++) {
        long size = python_attribute_long(pool, sizes[i], -1);
        if (size > 0)
            text->size = (uint32_t)size;
    }
    name = python_attribute(pool, "name");
    const char *own = python_text(name);
    if (own)
        snprintf(text->name, sizeof text->name, "%s", own);
    python_drop(name);
}

// Whether a call that raised nothing succeeded.
static bool succeeded(const struct spec *spec, PyObject *result)
{
    if (spec->result == SPEC_RESULT_HANDLE)
        return result != py._Py_NoneStruct;
    if (spec->result == SPEC_RESULT_NONZERO)
        return py.PyObject_IsTrue(result) == 1;
    if (spec->result != SPEC_RESULT_STATUS)
        return true;
    long status = py.PyLong_AsLong(result);
    py.PyErr_Clear();
    for (int i = 0; i < spec->status_count; i++)
        if (spec->status[i] == status)
            return true;
    return false;
}

// A psycopg_pool.PoolTimeout, a DBUtils TooManyConnections, ...: by name, for want of a common
// class.
static bool is_timeout(PyObject *exception_type)
{
    PyObject *name = exception_type ? python_attribute(exception_type, "__name__") : NULL;
    const char *text = python_text(name);
    bool timeout = text && (strcasestr(text, "timeout") || strcasestr(text, "TooManyConnections") ||
                            strcasestr(text, "MaxConnections") || strcmp(text, "PoolError") == 0);
    python_drop(name);
    return timeout;
}

// Records an acquire; handle NULL: it failed. Outside recorder_enter.
static void note_acquire(const struct method_call *call, PyObject *handle, bool timed_out,
                         uint64_t started)
{
    struct python_pool *pool =
        call->pool ? python_pool_of(call->pool, call->spec->kind, describe) : NULL;
    struct python_moment moment;
    python_moment_take(&moment);
    if (recorder_enter()) {
        struct stack stack;
        python_moment_stack(&moment, &stack);
        struct acquire acquire = {
            .handle = (uint64_t)(uintptr_t)handle,
            .kind = name_intern(call->spec->kind),
            .session = call->spec->session,
            .pool = pool ? python_pool_ref(pool) : TRACE_NONE,
            .database = call->database ? name_intern(call->database) : TRACE_NONE,
            .task = python_moment_task(&moment),
            .started_ns = started,
            .since_ns = started,
            .stack = &stack,
        };
        if (!pool && call->name)
            acquire.pool = pool_intern(acquire.kind, 0, name_intern(call->name));
        if (handle)
            session_acquired(&acquire, recorder_now());
        else
            session_acquire_failed(&acquire, timed_out, recorder_now());
        recorder_leave();
    }
    python_moment_drop(&moment);
    if (handle)
        python_watch_add(handle, call->spec->kind);
}

static PyObject *acquire_call(const struct python_invocation *invocation, struct method_call *call)
{
    uint64_t started = recorder_now();
    PyObject *result = python_invoke(invocation);
    PyObject *type = NULL, *value = NULL, *traceback = NULL;
    py.PyErr_Fetch(&type, &value, &traceback);
    PyObject *handle = call->spec->result == SPEC_RESULT_HANDLE ? result : call->handle;
    if (result && handle && succeeded(call->spec, result))
        note_acquire(call, handle, false, started);
    else if (call->pool || call->name)
        note_acquire(call, NULL, is_timeout(type), started);
    py.PyErr_Restore(type, value, traceback);
    return result;
}

static PyObject *release_call(const struct python_invocation *invocation, struct method_call *call)
{
    struct session session;
    bool taken = false;
    if (recorder_enter()) {
        taken = recorder_trace.header && session_take(name_intern(call->spec->kind),
                                                      (uint64_t)(uintptr_t)call->handle, &session);
        recorder_leave();
    }
    if (!taken)
        return python_invoke(invocation);
    // Watched until it is certain: the object may die within the call.
    PyObject *handle = call->handle;
    py.Py_IncRef(handle);
    PyObject *result = python_invoke(invocation);
    bool done = result && succeeded(call->spec, result);
    if (recorder_enter()) {
        if (done)
            session_end(&session,
                        call->spec->verb == TRACE_DISCARD ? TRACE_DISCARDED : TRACE_RELEASED,
                        session.taken_ns);
        else
            session_put_back(&session, 0);
        recorder_leave();
    }
    if (done)
        python_watch_remove(handle);
    PyObject *type, *value, *traceback;
    py.PyErr_Fetch(&type, &value, &traceback);
    py.Py_DecRef(handle);
    py.PyErr_Restore(type, value, traceback);
    return result;
}

static PyObject *method_called(const struct python_invocation *invocation)
{
    struct method_call call = {.spec = invocation->data};
    if (!atomic_load_explicit(&recorder_active, memory_order_relaxed) ||
        !read_arguments(invocation, &call))
        return python_invoke(invocation);
    if (call.spec->verb == TRACE_ACQUIRE)
        return acquire_call(invocation, &call);
    if ((call.spec->verb == TRACE_RELEASE || call.spec->verb == TRACE_DISCARD) && call.handle)
        return release_call(invocation, &call);
    return python_invoke(invocation);
}

bool python_methods_wrap(void)
{
    int count;
    bool complete = true;
    const struct spec *specs = recorder_specs(&count);
    for (int i = 0; i < count; i++) {
        const char *colon = specs[i].python ? strchr(specs[i].function, ':') : NULL;
        if (!colon)
            continue;
        char module[SPEC_NAME_BYTES];
        snprintf(module, sizeof module, "%.*s", (int)(colon - specs[i].function),
                 specs[i].function);
        if (!py.PyDict_GetItemString(py.PyImport_GetModuleDict(), module))
            continue;
        if (python_module_ready(module))
            (void)python_wrap(module, colon + 1, method_called, &specs[i]);
        else
            complete = false;
    }
    return complete;
}
