// Following PEP 249: what a module's connect() returns is a connection, until its close().
//
// connect() of each module that has the globals of PEP 249 is wrapped. Where a session was recorded
// within the call, by a spec or a traced function, the connection that it returns is noted to hold
// that one, so that an exception which leaves it behind is seen; else the connection itself is
// counted, and said to be so by convention. A class of which close() cannot be wrapped is not
// counted: it would never be seen to be closed.
#include "recorder/runtimes/python/convention.h"

#include <stdio.h>
#include <string.h>

#include "recorder/books/session.h"
#include "recorder/core/recorder.h"
#include "recorder/runtimes/python/created.h"
#include "recorder/runtimes/python/methods.h"
#include "recorder/runtimes/python/shutdown.h"
#include "recorder/runtimes/python/traceback.h"
#include "recorder/runtimes/python/wrap.h"

static const struct spec acquire_spec = {
    .verb = TRACE_ACQUIRE,
    .result = SPEC_RESULT_HANDLE,
    .session = TRACE_HANDLE,
    .python = true,
    .kind = "pep249",
};
static const struct spec release_spec = {
    .verb = TRACE_RELEASE,
    .session = TRACE_HANDLE,
    .python = true,
    .argument_count = 1,
    .argument = {{.role = SPEC_HANDLE, .name = "self"}},
    .kind = "pep249",
};

static bool has(PyObject *object, const char *name)
{
    PyObject *value = python_attribute(object, name);
    python_drop(value);
    return value != NULL;
}

// Whether it is what PEP 249 calls a connection, and open: what is to be awaited is not.
static bool is_connection(PyObject *object)
{
    return has(object, "cursor") && has(object, "commit") && has(object, "close") &&
           !has(object, "__await__");
}

// Wraps a method in the class that has it, of those an object is an instance of. true: it is
// wrapped.
static bool follow_method(PyObject *class, const char *name)
{
    PyObject *order = python_attribute(class, "__mro__");
    ssize_t count = order ? py.PyTuple_Size(order) : 0;
    bool done = false, found = false;
    for (ssize_t i = 0; i < count && !found; i++) {
        PyObject *base = py.PyTuple_GetItem(order, i);
        PyObject *dict = python_attribute(base, "__dict__");
        PyObject *key = py.PyUnicode_InternFromString(name);
        PyObject *method = dict && key ? py.PyObject_GetItem(dict, key) : NULL;
        py.PyErr_Clear();
        found = method != NULL;
        done = found && python_wrap_in(base, name, true, python_method_called, &release_spec);
        python_drop(method);
        python_drop(key);
        python_drop(dict);
    }
    python_drop(order);
    return done;
}

// Whether the ends of such connections will be seen. What leaves a with statement is closed by
// close(), but in classes of another language, which need not call it through Python.
static bool follow_end(PyObject *class)
{
    PyObject *leave = python_attribute(class, "__exit__");
    bool foreign = leave && leave->type != py.PyFunction_Type;
    python_drop(leave);
    return follow_method(class, "close") && (!foreign || follow_method(class, "__exit__"));
}

// A connection was made; `before`: recorder_thread.acquires when that began. What a pool or a spec
// around it opens is theirs to account for.
static void connected(PyObject *connection, const char *module, uint32_t before, uint64_t started)
{
    PyObject *type, *value, *traceback;
    py.PyErr_Fetch(&type, &value, &traceback);
    if (recorder_thread.acquires != before) {
        if (recorder_enter()) {
            python_created_hold(connection, recorder_thread.acquired_slot);
            recorder_leave();
        }
    } else if (recorder_thread.owner.pool == TRACE_NONE && !recorder_thread.owner.inside &&
               !python_keeps_nothing() && is_connection(connection) &&
               follow_end(connection->type)) {
        char words[160];
        snprintf(words, sizeof words, "%s (by convention, no spec)", module);
        python_method_acquired(&acquire_spec, connection, started, words);
    }
    py.PyErr_Restore(type, value, traceback);
}

static bool listens(void)
{
    return atomic_load_explicit(&recorder_active, memory_order_relaxed);
}

static PyObject *connect_called(const struct python_invocation *invocation)
{
    const uint32_t before = recorder_thread.acquires;
    const uint64_t started = recorder_now_coarse();
    PyObject *result = python_invoke(invocation);
    if (result && result != py._Py_NoneStruct && listens())
        connected(result, invocation->data, before, started);
    return result;
}

// The same where `connect` is a class.
static PyObject *init_called(const struct python_invocation *invocation)
{
    const uint32_t before = recorder_thread.acquires;
    const uint64_t started = recorder_now_coarse();
    PyObject *self = python_invocation_argument(invocation, 0, "self");
    PyObject *result = python_invoke(invocation);
    if (result && self && listens())
        connected(self, invocation->data, before, started);
    return result;
}

// Names of modules, which wrappers refer to: for the life of the process.
static const char *keep_name(const char *name)
{
    enum { MOST = 64, LONGEST = 80 };
    static char names[MOST][LONGEST];
    static int count;
    for (int i = 0; i < count; i++)
        if (strcmp(names[i], name) == 0)
            return names[i];
    if (count == MOST || strlen(name) >= LONGEST)
        return NULL;
    return strcpy(names[count++], name); // NOLINT: it fits
}

// Looks into the module's dictionary only: a module may have a __getattr__ of its own.
void python_convention_look(PyObject *module)
{
    PyObject *dict = module ? python_attribute(module, "__dict__") : NULL;
    PyObject *connect = dict && py.PyDict_GetItemString(dict, "apilevel") &&
                                py.PyDict_GetItemString(dict, "paramstyle")
                            ? py.PyDict_GetItemString(dict, "connect")
                            : NULL;
    const char *name = connect ? python_text(py.PyDict_GetItemString(dict, "__name__")) : NULL;
    // CPython's own is known better.
    const char *kept = name && strncmp(name, "sqlite3", 7) != 0 ? keep_name(name) : NULL;
    if (kept && python_is_a(connect, py.PyType_Type))
        (void)python_wrap_in(connect, "__init__", true, init_called, kept);
    else if (kept)
        (void)python_wrap_in(module, "connect", false, connect_called, kept);
    if (kept)
        python_traceback_watch(); // what its connections are left by
    py.PyErr_Clear();
    python_drop(dict);
}
