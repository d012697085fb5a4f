// The description of SQLAlchemy's pools: see sqlalchemy_pool.h. Knows nothing of checkouts.
//
// A pool does not know its engine, and so not its URL. But create_engine() listens to the pool's
// connect event with a function that refers to the engine, in 1.4, 2.0 and 2.1 alike; a pool that
// dispose() puts in the place of another takes over the listeners.
#include "recorder/runtimes/python/sqlalchemy_pool.h"

#include <stdio.h>
#include <string.h>

#include "recorder/core/recorder.h"
#include "recorder/runtimes/python/shutdown.h"
#include "recorder/runtimes/python/sqlite.h"
#include "shared/redact.h"

const char python_sqlalchemy_kind[] = "sqlalchemy";

static PyObject *engine_class; // kept

void python_sqlalchemy_pool_engine(void)
{
    if (!engine_class && !python_keeps_nothing())
        engine_class = python_find("sqlalchemy.engine.base", "Engine");
}

void python_sqlalchemy_pool_drop(void)
{
    python_drop(engine_class);
    engine_class = NULL;
}

void python_sqlalchemy_pool_forget(void)
{
    engine_class = NULL;
}

static PyObject *engine_behind(PyObject *object, int depth);

// The engine among the variables that a function has from around it. A new reference or NULL.
static PyObject *engine_in_closure(PyObject *function, int depth)
{
    PyObject *cells = python_attribute(function, "__closure__");
    ssize_t count = cells && cells != py._Py_NoneStruct ? py.PyTuple_Size(cells) : 0;
    PyObject *engine = NULL;
    for (ssize_t i = 0; i < count && !engine; i++) {
        PyObject *content = python_attribute(py.PyTuple_GetItem(cells, i), "cell_contents");
        engine = content ? engine_behind(content, depth) : NULL;
        python_drop(content);
    }
    python_drop(cells);
    return engine;
}

static PyObject *engine_behind(PyObject *object, int depth)
{
    enum { DEEPEST = 3 }; // only_once(first_connect): the listener, what it wraps
    if (python_is_a(object, engine_class)) {
        py.Py_IncRef(object);
        return object;
    }
    return object->type == py.PyFunction_Type && depth < DEEPEST
               ? engine_in_closure(object, depth + 1)
               : NULL;
}

// A new reference or NULL.
static PyObject *engine_of(PyObject *pool)
{
    PyObject *dispatch = python_attribute(pool, "dispatch");
    PyObject *event = dispatch ? python_attribute(dispatch, "connect") : NULL;
    PyObject *listeners = event ? py.PySequence_List(event) : NULL;
    PyObject *engine = NULL;
    py.PyErr_Clear();
    ssize_t count = listeners ? py.PyList_Size(listeners) : 0;
    for (ssize_t i = 0; i < count && !engine; i++)
        engine = engine_behind(py.PyList_GetItem(listeners, i), 0);
    python_drop(listeners);
    python_drop(event);
    python_drop(dispatch);
    return engine;
}

static void describe_url(PyObject *pool, struct python_pool_text *text)
{
    PyObject *engine = engine_of(pool);
    PyObject *url = engine ? python_attribute(engine, "url") : NULL;
    // repr() leaves the password out in all versions, str() does not.
    PyObject *shown = url ? py.PyObject_Repr(url) : NULL;
    py.PyErr_Clear();
    const char *utf8 = python_text(shown);
    if (utf8)
        (void)redact(utf8, text->name, sizeof text->name);
    python_drop(shown);
    python_drop(url);
    python_drop(engine);
}

static uint32_t attribute_count(PyObject *object, const char *name)
{
    long value = python_attribute_long(object, name, -1);
    return value >= 0 ? (uint32_t)value : TRACE_UNKNOWN;
}

// QueuePool and its kin; `queue` is where the idle connections are.
static void describe_queue(PyObject *pool, PyObject *queue, struct python_pool_text *text)
{
    text->size = attribute_count(queue, "maxsize");
    text->overflow = attribute_count(pool, "_max_overflow"); // -1: no limit
    PyObject *timeout = python_attribute(pool, "_timeout");
    double seconds = timeout ? py.PyFloat_AsDouble(timeout) : -1;
    py.PyErr_Clear();
    if (seconds >= 0 && seconds < 4e6)
        text->timeout_ms = (uint32_t)(seconds * 1000);
    python_drop(timeout);
}

static void describe(PyObject *pool, struct python_pool_text *text)
{
    PyObject *name = python_attribute(pool->type, "__name__");
    const char *class_name = python_text(name);
    snprintf(text->detail, sizeof text->detail, "%s", class_name ? class_name : "");
    python_drop(name);
    PyObject *queue = python_attribute(pool, "_pool");
    if (queue)
        describe_queue(pool, queue, text);
    else
        text->size = attribute_count(pool, "size"); // SingletonThreadPool
    python_drop(queue);
    PyObject *dialect = python_attribute(pool, "_dialect");
    PyObject *is_async = dialect ? python_attribute(dialect, "is_async") : NULL;
    text->is_async = is_async && py.PyObject_IsTrue(is_async) == 1;
    text->shared = strcmp(text->detail, "StaticPool") == 0;
    python_drop(is_async);
    python_drop(dialect);
    describe_url(pool, text);
}

struct python_pool *python_sqlalchemy_pool(PyObject *pool)
{
    return python_pool_of(pool, python_sqlalchemy_kind, describe);
}

void python_sqlalchemy_pool_adopt(PyObject *record, struct python_pool *pool)
{
    PyObject *connection = python_attribute(record, "dbapi_connection");
    uint32_t ref = TRACE_NONE;
    if (connection && connection != py._Py_NoneStruct && recorder_enter_trace()) {
        ref = python_pool_ref(pool);
        recorder_leave();
    }
    if (ref != TRACE_NONE)
        python_sqlite_own(connection, ref, false);
    python_drop(connection);
}
