// Resolving CPython's C API at run time, and the few conveniences built on it alone.
//
// Knows nothing of sessions, hooks or the trace.
#include "recorder/runtimes/python/api.h"

#include "recorder/core/loader.h"
#include <dlfcn.h>
#include <errno.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct python_api py;

// The library that holds the API if it is not in the global scope (an embedding program opened
// libpython RTLD_LOCAL): its path, found without dlsym, which may not be called from the callback.
struct library_search {
    char path[512];
};

static int library_visit(struct dl_phdr_info *info, size_t size, void *data)
{
    struct library_search *search = data;
    (void)size;
    const char *slash = strrchr(info->dlpi_name, '/');
    const char *name = slash ? slash + 1 : info->dlpi_name;
    if (strncmp(name, "libpython3.", 11) != 0 || !strchr("0123456789", name[11]))
        return 0;
    snprintf(search->path, sizeof search->path, "%s", info->dlpi_name);
    return 1;
}

// The handle to resolve symbols in; NULL if there is no CPython here. A handle of a library is
// never closed again: its code is used from then on.
static void *python_library(void)
{
    if (loader_symbol(RTLD_DEFAULT, "Py_GetVersion"))
        return RTLD_DEFAULT ? RTLD_DEFAULT : loader_open(NULL, RTLD_LAZY);
    struct library_search search = {""};
    if (!loader_each(library_visit, &search))
        return NULL;
    return loader_open(search.path, RTLD_LAZY | RTLD_NOLOAD);
}

static bool resolve_all(void *library)
{
    bool complete = true;
#define PYTHON_RESOLVE(result, name, arguments)                                                    \
    *(void **)&py.name = loader_symbol(library, #name);                                            \
    complete = complete && py.name;
#define PYTHON_RESOLVE_OPTIONAL(result, name, arguments)                                           \
    *(void **)&py.name = loader_symbol(library, #name);
    PYTHON_FUNCTIONS(PYTHON_RESOLVE, PYTHON_RESOLVE_OPTIONAL)
#undef PYTHON_RESOLVE
#undef PYTHON_RESOLVE_OPTIONAL
    return complete;
}

// Whether what was resolved can be used.
static enum trace_python judge(void *library, bool complete)
{
    if (!py.Py_GetVersion)
        return TRACE_PYTHON_INCOMPLETE;
    // "3.11.2 (main, ...)": callable before Py_Initialize. A build without a GIL says so here, and
    // has another way to count references.
    const char *version = py.Py_GetVersion();
    char *rest;
    py.major = (int)strtol(version, &rest, 10);
    py.minor = *rest == '.' ? (int)strtol(rest + 1, NULL, 10) : 0;
    if (py.major != 3 || py.minor < 8)
        return TRACE_PYTHON_OLD;
    if (strstr(version, "free-threading") || loader_symbol(library, "_Py_MergeZeroLocalRefcount"))
        return TRACE_PYTHON_FREE_THREADED;
    if (!py.Py_IsFinalizing)
        py.Py_IsFinalizing = py._Py_IsFinalizing;
    if (!py.PyInterpreterState_Get)
        py.PyInterpreterState_Get = py._PyInterpreterState_Get;
    if (!py.PyThreadState_GetUnchecked)
        py.PyThreadState_GetUnchecked = py._PyThreadState_UncheckedGet;
    if (!complete || !py.Py_IsFinalizing || !py.PyInterpreterState_Get ||
        !py.PyThreadState_GetUnchecked)
        return TRACE_PYTHON_INCOMPLETE;
    // Objects of such a build have a longer head.
    return loader_symbol(library, "_Py_PrintReferences") ? TRACE_PYTHON_TRACES_REFS
                                                         : TRACE_PYTHON_SEEN;
}

int python_api_resolve(enum trace_python *reason)
{
    void *library = python_library();
    if (!library)
        return -ENOENT;
    bool complete = resolve_all(library);
    *reason = judge(library, complete);
    return *reason == TRACE_PYTHON_SEEN ? 0 : -ENOTSUP;
}

bool python_finalizing(void)
{
    return py.Py_IsFinalizing() != 0;
}

bool python_main_interpreter(void)
{
    return py.PyInterpreterState_Get() == py.PyInterpreterState_Main();
}

PyObject *python_attribute(PyObject *object, const char *name)
{
    PyObject *value = py.PyObject_GetAttrString(object, name);
    if (!value)
        py.PyErr_Clear();
    return value;
}

long python_attribute_long(PyObject *object, const char *name, long otherwise)
{
    PyObject *value = python_attribute(object, name);
    if (!value)
        return otherwise;
    long number = py.PyLong_AsLong(value);
    if (number == -1 && py.PyErr_Occurred()) {
        py.PyErr_Clear();
        number = otherwise;
    }
    py.Py_DecRef(value);
    return number;
}

PyObject *python_find(const char *module, const char *path)
{
    PyObject *object = py.PyDict_GetItemString(py.PyImport_GetModuleDict(), module);
    if (!object)
        return NULL;
    py.Py_IncRef(object);
    char part[160];
    while (*path) {
        size_t length = strcspn(path, ".");
        if (length >= sizeof part) {
            py.Py_DecRef(object);
            return NULL;
        }
        memcpy(part, path, length);
        part[length] = '\0';
        path += length + (path[length] == '.');
        PyObject *next = python_attribute(object, part);
        py.Py_DecRef(object);
        if (!next)
            return NULL;
        object = next;
    }
    return object;
}

PyObject *python_subclasses(PyObject *type)
{
    PyObject *method = python_attribute(type, "__subclasses__");
    PyObject *list = method ? py.PyObject_CallObject(method, NULL) : NULL;
    python_drop(method);
    py.PyErr_Clear();
    return list;
}

bool python_module_ready(const char *module, const char *executed)
{
    if (executed && strcmp(module, executed) == 0)
        return true;
    PyObject *spec = python_find(module, "__spec__");
    if (!spec)
        return false;
    // importlib sets this while the module's code runs; absent once it has run.
    PyObject *initializing = python_attribute(spec, "_initializing");
    bool ready = !initializing || py.PyObject_IsTrue(initializing) == 0;
    python_drop(initializing);
    py.Py_DecRef(spec);
    return ready;
}

const char *python_text(PyObject *text)
{
    if (!text)
        return NULL;
    const char *utf8 = py.PyUnicode_AsUTF8AndSize(text, NULL);
    if (!utf8)
        py.PyErr_Clear();
    return utf8;
}

// 3.8 has no public PyObject_Vectorcall.
static PyObject *call_with_tuple(PyObject *callable, PyObject *const *args, size_t nargs,
                                 PyObject *names)
{
    PyObject *tuple = py.PyTuple_New((ssize_t)nargs);
    PyObject *keywords = names ? py.PyDict_New() : NULL;
    PyObject *result = NULL;
    if (tuple && (keywords || !names)) {
        for (size_t i = 0; i < nargs; i++) {
            py.Py_IncRef(args[i]);
            py.PyTuple_SetItem(tuple, (ssize_t)i, args[i]);
        }
        ssize_t named = names ? py.PyTuple_Size(names) : 0;
        for (ssize_t i = 0; i < named; i++)
            py.PyDict_SetItem(keywords, py.PyTuple_GetItem(names, i), args[nargs + (size_t)i]);
        result = py.PyObject_Call(callable, tuple, keywords);
    }
    python_drop(tuple);
    python_drop(keywords);
    return result;
}

PyObject *python_call(PyObject *callable, PyObject *const *args, size_t nargsf, PyObject *names)
{
    if (py.PyObject_Vectorcall)
        return py.PyObject_Vectorcall(callable, args, nargsf, names);
    return call_with_tuple(callable, args, PYTHON_VECTORCALL_COUNT(nargsf), names);
}
