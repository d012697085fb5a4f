// The wrapper type: see wrap.h. Everything here runs with the GIL held.
#include "recorder/runtimes/python/wrap.h"

#include <string.h>

#include "shared/python_layouts.h"

struct wrapper { // the object
    PyObject head;
    python_vectorcall vectorcall;
    PyObject *target;
    python_wrapped wrapped;
    const void *data;
};

static PyObject *wrapper_type;

PyObject *python_invoke(const struct python_invocation *call)
{
    if (call->tuple)
        return py.PyObject_Call(call->target, call->tuple, call->keywords);
    return py.PyObject_Vectorcall(call->target, call->args, call->nargsf, call->names);
}

static PyObject *argument_at(const struct python_invocation *call, size_t position)
{
    if (call->args)
        return call->args[position];
    return py.PyTuple_GetItem(call->tuple, (ssize_t)position);
}

static PyObject *argument_named(const struct python_invocation *call, const char *name)
{
    if (call->keywords)
        return py.PyDict_GetItemString(call->keywords, name);
    ssize_t count = call->names ? py.PyTuple_Size(call->names) : 0;
    for (ssize_t i = 0; i < count; i++) {
        const char *given = python_text(py.PyTuple_GetItem(call->names, i));
        if (given && strcmp(given, name) == 0)
            return call->args[call->positional + (size_t)i];
    }
    return NULL;
}

PyObject *python_invocation_argument(const struct python_invocation *call, size_t position,
                                     const char *name)
{
    if (position < call->positional)
        return argument_at(call, position);
    return name ? argument_named(call, name) : NULL;
}

// The frame of the function that this is used in: its caller's frame pointer, then the return
// address.
#define CALLER_ORIGIN()                                                                            \
    {                                                                                              \
        .return_slot = (const uint64_t *)__builtin_frame_address(0) + 1,                           \
        .frame_slot = __builtin_frame_address(0),                                                  \
    }

static PyObject *wrapper_vectorcall(PyObject *self, PyObject *const *args, size_t nargsf,
                                    PyObject *names)
{
    const struct wrapper *wrapper = (struct wrapper *)self;
    const struct stack_origin origin = CALLER_ORIGIN();
    const struct python_invocation call = {
        .target = wrapper->target,
        .data = wrapper->data,
        .origin = &origin,
        .args = args,
        .nargsf = nargsf,
        .positional = PYTHON_VECTORCALL_COUNT(nargsf),
        .names = names,
    };
    return wrapper->wrapped(&call);
}

static PyObject *wrapper_call(PyObject *self, PyObject *args, PyObject *keywords)
{
    if (py.PyObject_Vectorcall)
        return py.PyVectorcall_Call(self, args, keywords);
    const struct wrapper *wrapper = (struct wrapper *)self;
    const struct stack_origin origin = CALLER_ORIGIN();
    const struct python_invocation call = {
        .target = wrapper->target,
        .data = wrapper->data,
        .origin = &origin,
        .positional = (size_t)py.PyTuple_Size(args),
        .tuple = args,
        .keywords = keywords,
    };
    return wrapper->wrapped(&call);
}

static PyObject *wrapper_get(PyObject *self, PyObject *instance, PyObject *owner)
{
    (void)owner;
    if (instance && instance != py._Py_NoneStruct)
        return py.PyMethod_New(self, instance);
    py.Py_IncRef(self);
    return self;
}

// Functions are copied by not copying them, and pickled by their name.
static PyObject *wrapper_copy(PyObject *self, PyObject *unused)
{
    (void)unused;
    py.Py_IncRef(self);
    return self;
}

static PyObject *wrapper_reduce(PyObject *self, PyObject *unused)
{
    (void)unused;
    return py.PyObject_GetAttrString(((struct wrapper *)self)->target, "__qualname__");
}

static struct python_method methods[] = {
    {"__copy__", wrapper_copy, PYTHON_METHOD_NOARGS, NULL},
    {"__deepcopy__", wrapper_copy, PYTHON_METHOD_O, NULL},
    {"__reduce__", wrapper_reduce, PYTHON_METHOD_NOARGS, NULL},
    {"__reduce_ex__", wrapper_reduce, PYTHON_METHOD_O, NULL},
    {0},
};

static PyObject *wrapper_getattr(PyObject *self, PyObject *name)
{
    const char *text = python_text(name);
    for (const struct python_method *method = methods; text && method->name; method++)
        if (strcmp(text, method->name) == 0)
            return py.PyObject_GenericGetAttr(self, name);
    return py.PyObject_GetAttr(((struct wrapper *)self)->target, name);
}

static int wrapper_setattr(PyObject *self, PyObject *name, PyObject *value)
{
    return py.PyObject_SetAttr(((struct wrapper *)self)->target, name, value);
}

static PyObject *wrapper_repr(PyObject *self)
{
    return py.PyObject_Repr(((struct wrapper *)self)->target);
}

static int wrapper_traverse(PyObject *self, int (*visit)(PyObject *, void *), void *data)
{
    int result = visit(((struct wrapper *)self)->target, data);
    // Since 3.9 instances of heap types own a reference to their type.
    return result || py.minor < 9 ? result : visit(self->type, data);
}

static void wrapper_dealloc(PyObject *self)
{
    PyObject *type = self->type;
    py.PyObject_GC_UnTrack(self);
    python_drop(((struct wrapper *)self)->target);
    py.PyObject_GC_Del(self);
    py.Py_DecRef(type);
}

static bool make_type(void)
{
    static struct python_member members[] = {
        {"__vectorcalloffset__", PYTHON_MEMBER_SSIZE, offsetof(struct wrapper, vectorcall),
         PYTHON_MEMBER_READONLY, NULL},
        {0},
    };
    static struct python_slot slots[] = {
        {PYTHON_SLOT_CALL, wrapper_call},        {PYTHON_SLOT_DESCR_GET, wrapper_get},
        {PYTHON_SLOT_GETATTRO, wrapper_getattr}, {PYTHON_SLOT_SETATTRO, wrapper_setattr},
        {PYTHON_SLOT_REPR, wrapper_repr},        {PYTHON_SLOT_TRAVERSE, wrapper_traverse},
        {PYTHON_SLOT_DEALLOC, wrapper_dealloc},  {PYTHON_SLOT_METHODS, methods},
        {PYTHON_SLOT_MEMBERS, members},          {0},
    };
    static struct python_type_spec spec = {
        .name = "builtins.function",
        .basic_size = sizeof(struct wrapper),
        .flags = PYTHON_FLAG_DEFAULT | PYTHON_FLAG_GC | PYTHON_FLAG_METHOD_DESCRIPTOR,
        .slots = slots,
    };
    if (py.PyObject_Vectorcall) // 3.8 knows neither the member nor the public call
        spec.flags |= PYTHON_FLAG_VECTORCALL;
    else
        slots[sizeof slots / sizeof *slots - 2] = (struct python_slot){0};
    wrapper_type = py.PyType_FromSpec(&spec);
    if (!wrapper_type)
        py.PyErr_Clear();
    return wrapper_type;
}

// A new reference.
static PyObject *wrapper_new(PyObject *target, python_wrapped wrapped, const void *data)
{
    struct wrapper *wrapper = (struct wrapper *)py.PyType_GenericAlloc(wrapper_type, 0);
    if (!wrapper) {
        py.PyErr_Clear();
        return NULL;
    }
    wrapper->vectorcall = wrapper_vectorcall;
    wrapper->wrapped = wrapped;
    wrapper->data = data;
    py.Py_IncRef(target);
    wrapper->target = target;
    return &wrapper->head;
}

// Whether it is a function, of Python or of another language (Cython, nanobind, pybind11 and C have
// types of their own), that may be called in the place of its own: with an instance as first
// argument if it stands in a class and binds to instances. No class: programs ask for instances.
static bool is_function(PyObject *original, bool in_class)
{
    return original->type == py.PyFunction_Type ||
           (py.PyCallable_Check(original) && !python_is_a(original, py.PyType_Type) &&
            (!in_class || python_at(original->type, PYTHON_TYPE_DESCR_GET)));
}

// Whether what stands there is a wrapper that does the same, or is around one.
static bool stands(const PyObject *object, python_wrapped wrapped, const void *data)
{
    for (; object && object->type == wrapper_type;
         object = ((const struct wrapper *)object)->target) {
        const struct wrapper *wrapper = (const struct wrapper *)object;
        if (wrapper->wrapped == wrapped && wrapper->data == data)
            return true;
    }
    return false;
}

// What is to stand where `original` stood in its class or module. A new reference or NULL.
static PyObject *replacement(PyObject *original, bool in_class, python_wrapped wrapped,
                             const void *data)
{
    bool of_class = original->type == py.PyClassMethod_Type;
    bool of_nothing = original->type == py.PyStaticMethod_Type;
    if (!of_class && !of_nothing) {
        return is_function(original, in_class) ? wrapper_new(original, wrapped, data) : NULL;
    }
    PyObject *function = python_attribute(original, "__func__");
    PyObject *wrapper =
        function && is_function(function, false) ? wrapper_new(function, wrapped, data) : NULL;
    python_drop(function);
    PyObject *result = NULL;
    if (wrapper)
        result = of_class ? py.PyClassMethod_New(wrapper) : py.PyStaticMethod_New(wrapper);
    python_drop(wrapper);
    return result;
}

// Splits "Outer.Class.method" and finds what holds the last part. A new reference or NULL.
static PyObject *holder_of(const char *module, const char *path, const char **last)
{
    char outer[160];
    const char *dot = strrchr(path, '.');
    size_t length = dot ? (size_t)(dot - path) : 0;
    if (length >= sizeof outer)
        return NULL;
    memcpy(outer, path, length);
    outer[length] = '\0';
    *last = dot ? dot + 1 : path;
    return python_find(module, outer);
}

// Where something of ours stands; guarded by the GIL.
enum { MOST_PLACES = 256 };
static struct place {
    PyObject *holder, *name, *original, *ours; // owned
} places[MOST_PLACES];
static int place_count;

static void remember(PyObject *holder, PyObject *name, PyObject *original, PyObject *ours)
{
    py.Py_IncRef(holder);
    py.Py_IncRef(name);
    py.Py_IncRef(original);
    py.Py_IncRef(ours);
    places[place_count++] = (struct place){holder, name, original, ours};
}

static void drop_place(const struct place *place)
{
    py.Py_DecRef(place->holder);
    py.Py_DecRef(place->name);
    py.Py_DecRef(place->original);
    py.Py_DecRef(place->ours);
}

static void put_back(const struct place *place)
{
    PyObject *dict = python_attribute(place->holder, "__dict__");
    PyObject *now = dict ? py.PyObject_GetItem(dict, place->name) : NULL;
    if (now == place->ours) // else somebody has put something else there
        (void)py.PyObject_SetAttr(place->holder, place->name, place->original);
    py.PyErr_Clear();
    python_drop(now);
    python_drop(dict);
    drop_place(place);
}

void python_wrap_undo(void)
{
    while (place_count > 0)
        put_back(&places[--place_count]);
}

bool python_wrap_in(PyObject *holder, const char *name, bool in_class, python_wrapped wrapped,
                    const void *data)
{
    if ((!wrapper_type && !make_type()) || place_count == MOST_PLACES)
        return false;
    // What stands in the class itself, not what a look-up makes of it.
    PyObject *dict = python_attribute(holder, "__dict__");
    PyObject *key = py.PyUnicode_InternFromString(name);
    PyObject *original = dict && key ? py.PyObject_GetItem(dict, key) : NULL;
    bool done = stands(original, wrapped, data);
    PyObject *wrapper = original && !done ? replacement(original, in_class, wrapped, data) : NULL;
    bool put = wrapper && py.PyObject_SetAttrString(holder, name, wrapper) == 0;
    py.PyErr_Clear();
    if (put)
        remember(holder, key, original, wrapper);
    python_drop(wrapper);
    python_drop(original);
    python_drop(key);
    python_drop(dict);
    return put || done;
}

bool python_wrap(const char *module, const char *path, python_wrapped wrapped, const void *data)
{
    const char *name;
    PyObject *holder = holder_of(module, path, &name);
    bool done = holder && python_wrap_in(holder, name, strchr(path, '.') != NULL, wrapped, data);
    python_drop(holder);
    return done;
}

void python_wrap_give_back(void)
{
    while (place_count > 0)
        drop_place(&places[--place_count]);
}

void python_wrap_forget(void)
{
    wrapper_type = NULL;
    place_count = 0;
}
