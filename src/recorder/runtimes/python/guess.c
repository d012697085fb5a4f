// Pools that nobody has described, by what their methods are called: see guess.h.
#include "recorder/runtimes/python/guess.h"

static bool has(PyObject *class, const char *name)
{
    PyObject *value = python_attribute(class, name);
    python_drop(value);
    return value != NULL;
}

static void guess_class(PyObject *class, const struct spec *spec, python_wrapped called)
{
    static const char *const acquires[] = {"acquire", "getconn", "get_connection", NULL};
    static const char *const releases[] = {"release", "putconn", NULL};
    bool gets = false, puts = false;
    for (const char *const *name = acquires; *name; name++)
        gets |= has(class, *name);
    for (const char *const *name = releases; *name; name++)
        puts |= has(class, *name);
    if (!gets || !puts)
        return;
    for (const char *const *name = spec->verb == TRACE_ACQUIRE ? acquires : releases; *name; name++)
        (void)python_wrap_in(class, *name, true, called, spec);
}

void python_guess(const char *module, const struct spec *spec, python_wrapped called)
{
    PyObject *object = python_find(module, "");
    PyObject *dict = object ? python_attribute(object, "__dict__") : NULL;
    PyObject *values = dict ? py.PyDict_Values(dict) : NULL;
    ssize_t count = values ? py.PyList_Size(values) : 0;
    for (ssize_t i = 0; i < count; i++) {
        PyObject *value = py.PyList_GetItem(values, i);
        if (python_is_a(value, py.PyType_Type))
            guess_class(value, spec, called);
    }
    py.PyErr_Clear();
    python_drop(values);
    python_drop(dict);
    python_drop(object);
}
