// Telling whether an extension module closes a handle because the program asked for it.
//
// psycopg2, mysqlclient, pyodbc, APSW and their like close a handle in a method, or when the object
// that has it goes away. So for each type of such a module the function that ends an object
// (tp_dealloc, or tp_finalize where there is one) is replaced by one that notes that this is under
// way on the thread: a release from this module meanwhile is the deallocation's, any other one the
// program's. Types are told by where that function lies, and none is named here.
//
// Only types right below `object` are changed: what is derived from them calls them, or has their
// function. Nothing else of a type changes, and nothing is added to objects.
#include "recorder/runtimes/python/drivers.h"

#include <stdatomic.h>
#include <string.h>

#include "recorder/core/call_specs.h"
#include "recorder/core/recorder.h"
#include "recorder/runtimes/native.h"
#include "recorder/runtimes/python/api.h"
#include "recorder/runtimes/python/frames.h"
#include "recorder/runtimes/python/layout.h"
#include "recorder/stacks/modules.h"

enum { TYPE_IS_HEAP = 1 << 9 };

typedef void (*end_function)(PyObject *self);

// Only added to, so that a type that is found here has its function for good. Guarded by the GIL;
// `type_count` is advanced last.
enum { MOST_TYPES = 128 };
static struct driver_type {
    PyObject *type; // owned as long as `owned`
    end_function real;
    unsigned short place; // PYTHON_TYPE_DEALLOC or PYTHON_TYPE_FINALIZE
    bool owned;
} types[MOST_TYPES];
static atomic_uint type_count;

static atomic_uint looked_loaded, looked_used; // what modules_traced was then
static __thread unsigned ending __attribute__((tls_model("initial-exec")));

bool python_drivers_new(void)
{
    return modules_traced() != atomic_load_explicit(&looked_loaded, memory_order_relaxed);
}

bool python_drivers_used(void)
{
    unsigned now = modules_traced();
    return atomic_load_explicit(&looked_used, memory_order_relaxed) != now &&
           atomic_exchange(&looked_used, now) != now;
}

static const struct driver_type *driver_type(const PyObject *type, unsigned short place)
{
    unsigned count = atomic_load_explicit(&type_count, memory_order_acquire);
    for (unsigned i = count; i-- > 0;) // the last one, if another type was there before
        if (types[i].type == type && types[i].place == place)
            return &types[i];
    return NULL;
}

// Calls what stood there before: that of the object's type, or of the first below it that is ours.
static void end_object(PyObject *self, unsigned short place)
{
    const struct driver_type *found = NULL;
    for (PyObject *type = self->type; type && !found; type = python_at(type, PYTHON_TYPE_BASE))
        found = driver_type(type, place);
    if (!found)
        return;
    ending++;
    found->real(self);
    ending--;
}

static void dealloc(PyObject *self)
{
    end_object(self, PYTHON_TYPE_DEALLOC);
}

static void finalize(PyObject *self)
{
    end_object(self, PYTHON_TYPE_FINALIZE);
}

static bool is_heap(const PyObject *type)
{
    return (uintptr_t)python_at(type, PYTHON_TYPE_FLAGS) & TYPE_IS_HEAP;
}

// Whether a type may be written to: it is data of its module that stays writable, or on the heap.
static bool is_writable(const PyObject *type, const struct module *module)
{
    uint64_t at = (uint64_t)(uintptr_t)type;
    return is_heap(type) ||
           (at >= module->text_end && at < module->end &&
            !(at < module->relro_end && at + PYTHON_TYPE_FINALIZE >= module->relro_start));
}

// Whether objects of the type may have a handle: something that closes.
static bool closes(PyObject *type)
{
    static const char *const names[] = {"close", "finish", "disconnect"};
    bool any = false;
    for (size_t i = 0; i < sizeof names / sizeof *names && !any; i++) {
        PyObject *method = python_attribute(type, names[i]);
        any = method != NULL;
        python_drop(method);
    }
    return any;
}

static bool is_in(const struct module *module, const void *address)
{
    return (uint64_t)(uintptr_t)address >= module->start &&
           (uint64_t)(uintptr_t)address < module->end;
}

// Not the interpreter's sqlite3, of which sqlite.c knows more.
static bool may_be_driver(const struct module *module)
{
    const char *slash = strrchr(module->path, '/');
    return module->traced && !(slash && strncmp(slash + 1, "_sqlite3.", 9) == 0);
}

static void watch_type(PyObject *type, const struct module *interpreter)
{
    void *finalizer = python_at(type, PYTHON_TYPE_FINALIZE);
    unsigned short place = finalizer ? PYTHON_TYPE_FINALIZE : PYTHON_TYPE_DEALLOC;
    end_function ours = finalizer ? finalize : dealloc, real;
    void *now = python_at(type, place);
    struct module module;
    unsigned count = atomic_load(&type_count);
    if (count == MOST_TYPES || now == (void *)dealloc || now == (void *)finalize ||
        is_in(interpreter, now) || python_at(type, PYTHON_TYPE_BASE) != py.PyBaseObject_Type ||
        !module_find((uint64_t)(uintptr_t)now, &module) || !may_be_driver(&module) ||
        !is_writable(type, &module) || !closes(type))
        return;
    *(void **)&real = now;
    py.Py_IncRef(type);
    types[count] = (struct driver_type){type, real, place, true};
    atomic_store_explicit(&type_count, count + 1, memory_order_release);
    *(end_function *)((char *)type + place) = ours;
}

void python_drivers_look(void)
{
    atomic_store(&looked_loaded, modules_traced());
    struct module interpreter;
    if (!module_find((uint64_t)(uintptr_t)py.PyBaseObject_Type, &interpreter))
        return;
    PyObject *list = python_subclasses(py.PyBaseObject_Type);
    ssize_t count = list ? py.PyList_Size(list) : 0;
    for (ssize_t i = 0; i < count; i++)
        watch_type(py.PyList_GetItem(list, i), &interpreter);
    py.PyErr_Clear();
    python_drop(list);
    native_modules_changed();
}

// The type of a driver that an object's is or is derived from.
static const PyObject *driver_base(const PyObject *object)
{
    unsigned count = atomic_load_explicit(&type_count, memory_order_acquire);
    for (PyObject *type = object->type; count > 0 && type; type = python_at(type, PYTHON_TYPE_BASE))
        if (driver_type(type, PYTHON_TYPE_DEALLOC) || driver_type(type, PYTHON_TYPE_FINALIZE))
            return type;
    return NULL;
}

bool python_drivers_is_object(const PyObject *object)
{
    return driver_base(object) != NULL;
}

// The session of a handle of any library's.
static struct trace_session *session_of(uint64_t handle)
{
    int count;
    const struct spec *specs = recorder_specs(&count);
    const char *asked = ""; // specs of one kind stand together
    uint32_t slot = TRACE_NONE;
    for (int i = 0; i < count && slot == TRACE_NONE; i++) {
        if (specs[i].python || specs[i].session != TRACE_HANDLE ||
            strcmp(specs[i].kind, asked) == 0)
            continue;
        asked = specs[i].kind;
        slot = session_slot(name_intern(asked), handle);
    }
    struct trace_session *record = trace_record(&recorder_trace, TRACE_SESSIONS, slot);
    return record && !(record->flags & TRACE_SESSION_POOLED) ? record : NULL;
}

struct trace_session *python_drivers_session(const PyObject *object)
{
    enum { FIRST = 16, MOST = 1024, LOWEST = 4096 }; // what follows the head of an object
    const PyObject *type = recorder_trace.header ? driver_base(object) : NULL;
    ssize_t size = type ? (ssize_t)python_at(type, PYTHON_TYPE_BASIC_SIZE) : 0;
    struct trace_session *record = NULL;
    for (int at = FIRST; at + 8 <= size && at < MOST && !record; at += 8) {
        uint64_t word = (uint64_t)(uintptr_t)python_at(object, at);
        if (word > LOWEST && word % 8 == 0)
            record = session_of(word);
    }
    return record;
}

static bool calls_foreign(const struct module *module)
{
    const char *slash = strrchr(module->path, '/');
    const char *name = slash ? slash + 1 : module->path;
    return strncmp(name, "libffi", 6) == 0 || strncmp(name, "_ctypes", 7) == 0 ||
           strncmp(name, "_cffi_backend", 13) == 0;
}

static bool is_driver(const struct module *module)
{
    unsigned count = atomic_load_explicit(&type_count, memory_order_acquire);
    bool any = false;
    for (unsigned i = 0; i < count && !any; i++) {
        uint64_t at = (uint64_t)(uintptr_t)types[i].real;
        any = at >= module->start && at < module->end;
    }
    return any;
}

// Whether two paths of files are in one package, or in one folder of packages.
static bool is_beside(const char *path, const char *other)
{
    const char *slash = strrchr(path, '/');
    return slash && strncmp(path, other, (size_t)(slash + 1 - path)) == 0;
}

// A driver that is Python code and calls its library by ctypes: whether a finalizer of its own is
// among the innermost frames.
static bool in_finalizer(void)
{
    struct python_walk walk;
    char name[16], path[512], other[512];
    if (!python_layout || !atomic_load(&python_layout_trusted))
        return false;
    python_walk_collect(&walk);
    for (uint32_t i = 0; i < walk.count; i++) {
        const PyObject *code = walk.frames[i].code;
        if (!python_text_copy(python_at(code, python_layout->code_filename), i == 0 ? path : other,
                              sizeof path) ||
            (i > 0 && !is_beside(path, other)))
            return false;
        if (python_text_copy(python_at(code, python_layout->code_name), name, sizeof name) &&
            strcmp(name, "__del__") == 0)
            return true;
    }
    return false;
}

enum runtime_closer python_drivers_closer(const struct runtime_call *call)
{
    static struct native_modules drivers = {.is_own = is_driver};
    static struct native_modules foreign = {.is_own = calls_foreign};
    const bool finalizing = python_finalizing();
    bool ends = ending > 0; // also what libraries below the driver close, as unixODBC's drivers do
    if (!ends && native_is_own(&foreign, call->caller))
        ends = finalizing || in_finalizer();
    else if (!ends && !native_is_own(&drivers, call->caller))
        return RUNTIME_NOT_MINE;
    if (!ends)
        return RUNTIME_CODE;
    return finalizing ? RUNTIME_END : RUNTIME_REFERENCE;
}

void python_drivers_undo(void)
{
    unsigned count = atomic_load(&type_count);
    for (unsigned i = 0; i < count; i++) {
        end_function *place = (end_function *)((char *)types[i].type + types[i].place);
        if (types[i].owned && (*place == dealloc || *place == finalize))
            *place = types[i].real;
    }
    python_drivers_drop();
    atomic_store(&looked_loaded, 0);
    atomic_store(&looked_used, 0);
}

void python_drivers_drop(void)
{
    unsigned count = atomic_load(&type_count);
    for (unsigned i = 0; i < count; i++) {
        bool owned = types[i].owned;
        types[i].owned = false;
        if (owned)
            py.Py_DecRef(types[i].type);
    }
}

void python_drivers_forget(void)
{
    unsigned count = atomic_load(&type_count);
    for (unsigned i = 0; i < count; i++)
        types[i].owned = false;
    atomic_store(&looked_loaded, 0);
    atomic_store(&looked_used, 0);
}
