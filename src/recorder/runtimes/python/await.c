// An awaitable that passes everything on to a coroutine and looks at what comes back.
//
// It has what collections.abc.Coroutine asks for (send, throw, close, __await__), so that it can be
// made a task; everything else is the coroutine's.
#include "recorder/runtimes/python/await.h"

#include <string.h>

struct awaitable { // the object
    PyObject head;
    PyObject *coroutine;
    struct python_await watch;
    bool paused, ended;
};

static PyObject *awaitable_type;

bool python_await_is_coroutine(PyObject *object)
{
    static const char cython[] = "_cython_";
    if (object->type == py.PyCoro_Type)
        return true;
    PyObject *name = python_attribute(object->type, "__module__");
    const char *text = python_text(name);
    bool made = text && strncmp(text, cython, sizeof cython - 1) == 0;
    python_drop(name);
    name = made ? python_attribute(object->type, "__name__") : NULL;
    text = python_text(name);
    made = text && strcmp(text, "coroutine") == 0;
    python_drop(name);
    return made;
}

// The value that a coroutine returned comes as the StopIteration that ends it.
static void note_end(struct awaitable *self)
{
    PyObject *type, *value, *traceback;
    if (self->ended)
        return;
    self->ended = true;
    py.PyErr_Fetch(&type, &value, &traceback);
    bool returned = type && py.PyErr_GivenExceptionMatches(type, *py.PyExc_StopIteration);
    if (returned)
        py.PyErr_NormalizeException(&type, &value, &traceback);
    PyObject *result = returned && value ? python_attribute(value, "value") : NULL;
    if (returned && result) {
        self->watch.done(result, self->watch.data);
        python_drop(result);
        py.PyErr_Restore(type, value, traceback);
    } else {
        py.PyErr_Restore(type, value, traceback);
        self->watch.done(NULL, self->watch.data);
    }
}

static PyObject *call_method(PyObject *self, const char *name, PyObject *args)
{
    struct awaitable *awaitable = (struct awaitable *)self;
    PyObject *method = py.PyObject_GetAttrString(awaitable->coroutine, name);
    awaitable->watch.enter(strcmp(name, "throw") == 0, awaitable->watch.data);
    PyObject *result = method ? py.PyObject_CallObject(method, args) : NULL;
    awaitable->watch.leave(awaitable->watch.data);
    python_drop(method);
    if (!result)
        note_end(awaitable);
    else if (!awaitable->paused)
        awaitable->watch.paused(awaitable->watch.data);
    awaitable->paused = true;
    return result;
}

static PyObject *awaitable_send(PyObject *self, PyObject *value)
{
    PyObject *args = py.PyTuple_New(1);
    if (!args)
        return NULL;
    py.Py_IncRef(value);
    py.PyTuple_SetItem(args, 0, value);
    PyObject *result = call_method(self, "send", args);
    py.Py_DecRef(args);
    return result;
}

static PyObject *awaitable_next(PyObject *self)
{
    return awaitable_send(self, py._Py_NoneStruct);
}

static PyObject *awaitable_throw(PyObject *self, PyObject *args)
{
    return call_method(self, "throw", args);
}

static PyObject *awaitable_close(PyObject *self, PyObject *unused)
{
    (void)unused;
    return call_method(self, "close", NULL);
}

static PyObject *awaitable_self(PyObject *self)
{
    py.Py_IncRef(self);
    return self;
}

// isinstance() asks for __class__: it is a coroutine to whoever looks.
static PyObject *awaitable_getattr(PyObject *self, PyObject *name)
{
    const char *text = python_text(name);
    bool of_coroutine = text && strcmp(text, "__class__") == 0;
    PyObject *value = of_coroutine ? NULL : py.PyObject_GenericGetAttr(self, name);
    if (value)
        return value;
    py.PyErr_Clear();
    return py.PyObject_GetAttr(((struct awaitable *)self)->coroutine, name);
}

static PyObject *awaitable_repr(PyObject *self)
{
    return py.PyObject_Repr(((struct awaitable *)self)->coroutine);
}

static int awaitable_traverse(PyObject *self, int (*visit)(PyObject *, void *), void *data)
{
    int result = visit(((struct awaitable *)self)->coroutine, data);
    return result || py.minor < 9 ? result : visit(self->type, data);
}

static void awaitable_dealloc(PyObject *self)
{
    struct awaitable *awaitable = (struct awaitable *)self;
    PyObject *type = self->type;
    py.PyObject_GC_UnTrack(self);
    awaitable->watch.drop(awaitable->watch.data);
    python_drop(awaitable->coroutine);
    py.PyObject_GC_Del(self);
    py.Py_DecRef(type);
}

static bool make_type(void)
{
    static struct python_method methods[] = {
        {"send", awaitable_send, PYTHON_METHOD_O, NULL},
        {"throw", awaitable_throw, PYTHON_METHOD_VARARGS, NULL},
        {"close", awaitable_close, PYTHON_METHOD_NOARGS, NULL},
        {0},
    };
    static struct python_slot slots[] = {
        {PYTHON_SLOT_AWAIT, awaitable_self},
        {PYTHON_SLOT_ITER, awaitable_self},
        {PYTHON_SLOT_ITERNEXT, awaitable_next},
        {PYTHON_SLOT_METHODS, methods},
        {PYTHON_SLOT_GETATTRO, awaitable_getattr},
        {PYTHON_SLOT_REPR, awaitable_repr},
        {PYTHON_SLOT_TRAVERSE, awaitable_traverse},
        {PYTHON_SLOT_DEALLOC, awaitable_dealloc},
        {0},
    };
    static struct python_type_spec spec = {
        .name = "builtins.coroutine",
        .basic_size = sizeof(struct awaitable),
        .flags = PYTHON_FLAG_DEFAULT | PYTHON_FLAG_GC,
        .slots = slots,
    };
    awaitable_type = py.PyType_FromSpec(&spec);
    if (!awaitable_type)
        py.PyErr_Clear();
    return awaitable_type;
}

void python_await_forget(void)
{
    awaitable_type = NULL;
}

PyObject *python_await_wrap(PyObject *coroutine, const struct python_await *watch)
{
    struct awaitable *awaitable = NULL;
    if (awaitable_type || make_type())
        awaitable = (struct awaitable *)py.PyType_GenericAlloc(awaitable_type, 0);
    if (!awaitable) {
        py.PyErr_Clear();
        watch->drop(watch->data);
        return coroutine;
    }
    awaitable->coroutine = coroutine;
    awaitable->watch = *watch;
    return &awaitable->head;
}
