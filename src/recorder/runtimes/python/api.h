// The part of CPython's C API that is used, resolved at run time in the executable or libpython.
//
// One binary serves CPython 3.8 to 3.15: nothing here is compiled against Python.h, and nothing
// links libpython. Declares only what the documentation promises (docs.python.org/3/c-api); where
// things are inside of objects is layout.h. Knows nothing of sessions.
#ifndef UNCLOSED_RECORDER_RUNTIMES_PYTHON_API_H
#define UNCLOSED_RECORDER_RUNTIMES_PYTHON_API_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "trace/trace_format.h"

// The head of every object in a build with a GIL. From 3.12 on the count is the low half (PEP 683),
// from 3.14 on the upper one has flags.
typedef struct python_object {
    ssize_t count;
    struct python_object *type;
} PyObject;

typedef PyObject *(*python_vectorcall)(PyObject *callable, PyObject *const *args, size_t nargsf,
                                       PyObject *names);
typedef int (*python_audit_hook)(const char *event, PyObject *args, void *data);

#define PYTHON_VECTORCALL_COUNT(nargsf) ((size_t)(nargsf) & ~((size_t)1 << 63))

struct python_method { // PyMethodDef
    const char *name;
    void *function;
    int flags;
    const char *doc;
};

struct python_slot { // PyType_Slot
    int slot;
    void *function;
};

struct python_type_spec { // PyType_Spec
    const char *name;
    int basic_size, item_size;
    unsigned flags;
    struct python_slot *slots;
};

struct python_member { // PyMemberDef
    const char *name;
    int type;
    ssize_t offset;
    int flags;
    const char *doc;
};

// Offsets in PyTypeObject, the same in 3.8 to 3.15 (Include/cpython/object.h).
enum {
    PYTHON_TYPE_BASIC_SIZE = 32,
    PYTHON_TYPE_DEALLOC = 48,
    PYTHON_TYPE_FLAGS = 168,
    PYTHON_TYPE_CLEAR = 192,
    PYTHON_TYPE_BASE = 256,
    PYTHON_TYPE_DICT = 264,
    PYTHON_TYPE_DESCR_GET = 272,
    PYTHON_TYPE_MRO = 344,
    PYTHON_TYPE_FINALIZE = 392,
};

// Slot numbers and flags of the stable ABI (typeslots.h, object.h, structmember.h).
enum {
    PYTHON_SLOT_CALL = 50,
    PYTHON_SLOT_CLEAR = 51,
    PYTHON_SLOT_DEALLOC = 52,
    PYTHON_SLOT_DESCR_GET = 54,
    PYTHON_SLOT_GETATTRO = 58,
    PYTHON_SLOT_ITER = 62,
    PYTHON_SLOT_ITERNEXT = 63,
    PYTHON_SLOT_METHODS = 64,
    PYTHON_SLOT_REPR = 66,
    PYTHON_SLOT_SETATTRO = 69,
    PYTHON_SLOT_TRAVERSE = 71,
    PYTHON_SLOT_MEMBERS = 72,
    PYTHON_SLOT_AWAIT = 77,
    PYTHON_SLOT_FINALIZE = 80,
    PYTHON_FLAG_VECTORCALL = 1 << 11,
    PYTHON_FLAG_GC = 1 << 14,
    PYTHON_FLAG_METHOD_DESCRIPTOR = 1 << 17,
    PYTHON_FLAG_DEFAULT = 1 << 18,
    PYTHON_METHOD_VARARGS = 1,
    PYTHON_METHOD_NOARGS = 4,
    PYTHON_METHOD_O = 8,
    PYTHON_MEMBER_SSIZE = 19,
    PYTHON_MEMBER_READONLY = 1,
};

// Every function: result, arguments. `M` must be there, `O` may be missing (NULL then).
// clang-format off
#define PYTHON_FUNCTIONS(M, O)                                                                     \
    M(const char *, Py_GetVersion, (void))                                                         \
    M(int, Py_IsInitialized, (void))                                                               \
    O(int, Py_IsFinalizing, (void))                            /* from 3.13 */                     \
    O(int, _Py_IsFinalizing, (void))                           /* to 3.12 */                       \
    M(int, PySys_AddAuditHook, (python_audit_hook, void *))                                        \
    O(void, PyMem_GetAllocator, (int, void *))                                                     \
    O(PyObject, _PyRuntime, )                                                                      \
    M(int, PyGILState_Ensure, (void))                                                              \
    M(void, PyGILState_Release, (int))                                                             \
    M(void *, PyGILState_GetThisThreadState, (void))                                               \
    O(void *, PyThreadState_GetUnchecked, (void))              /* from 3.13 */                     \
    O(void *, _PyThreadState_UncheckedGet, (void))             /* to 3.12 */                       \
    M(void *, PyInterpreterState_Main, (void))                                                     \
    O(void *, PyInterpreterState_Get, (void))                  /* from 3.9 */                      \
    O(void *, _PyInterpreterState_Get, (void))                 /* 3.8 */                           \
    M(int, Py_AddPendingCall, (int (*)(void *), void *))                                           \
    M(void, Py_IncRef, (PyObject *))                                                               \
    M(void, Py_DecRef, (PyObject *))                                                               \
    M(PyObject *, PyImport_GetModuleDict, (void))                                                  \
    M(PyObject *, PyModule_GetDict, (PyObject *))                                                  \
    M(PyObject *, PyDict_GetItemString, (PyObject *, const char *))                                \
    M(PyObject *, PyDict_GetItem, (PyObject *, PyObject *))                                        \
    M(PyObject *, PyObject_GetAttr, (PyObject *, PyObject *))                                      \
    M(PyObject *, PyObject_GetAttrString, (PyObject *, const char *))                              \
    M(int, PyObject_SetAttr, (PyObject *, PyObject *, PyObject *))                                 \
    M(int, PyObject_SetAttrString, (PyObject *, const char *, PyObject *))                         \
    M(PyObject *, PyObject_GetItem, (PyObject *, PyObject *))                                      \
    M(PyObject *, PyObject_Call, (PyObject *, PyObject *, PyObject *))                             \
    M(PyObject *, PyObject_CallObject, (PyObject *, PyObject *))                                   \
    O(PyObject *, PyObject_Vectorcall, (PyObject *, PyObject *const *, size_t, PyObject *))        \
    O(PyObject *, PyVectorcall_Call, (PyObject *, PyObject *, PyObject *))                         \
    M(int, PyObject_IsTrue, (PyObject *))                                                          \
    M(PyObject *, PyObject_Str, (PyObject *))                                                      \
    M(PyObject *, PyObject_Repr, (PyObject *))                                                     \
    M(PyObject *, PyObject_GenericGetAttr, (PyObject *, PyObject *))                               \
    M(int, PyCallable_Check, (PyObject *))                                                         \
    M(PyObject *, PyTuple_New, (ssize_t))                                                          \
    M(ssize_t, PyTuple_Size, (PyObject *))                                                         \
    M(PyObject *, PyTuple_GetItem, (PyObject *, ssize_t))                                          \
    M(int, PyTuple_SetItem, (PyObject *, ssize_t, PyObject *))                                     \
    M(ssize_t, PyDict_Size, (PyObject *))                                                          \
    M(PyObject *, PyDict_Keys, (PyObject *))                                                       \
    M(PyObject *, PyDict_Values, (PyObject *))                                                     \
    M(PyObject *, PySequence_List, (PyObject *))                                                   \
    M(ssize_t, PyList_Size, (PyObject *))                                                          \
    M(PyObject *, PyList_GetItem, (PyObject *, ssize_t))                                           \
    M(PyObject *, PyDict_New, (void))                                                              \
    M(int, PyDict_SetItem, (PyObject *, PyObject *, PyObject *))                                   \
    M(void, PyErr_Fetch, (PyObject **, PyObject **, PyObject **))                                  \
    M(void, PyErr_Restore, (PyObject *, PyObject *, PyObject *))                                   \
    M(void, PyErr_NormalizeException, (PyObject **, PyObject **, PyObject **))                     \
    M(PyObject *, PyErr_Occurred, (void))                                                          \
    M(void, PyErr_Clear, (void))                                                                   \
    M(int, PyErr_GivenExceptionMatches, (PyObject *, PyObject *))                                  \
    M(const char *, PyUnicode_AsUTF8AndSize, (PyObject *, ssize_t *))                              \
    M(PyObject *, PyUnicode_InternFromString, (const char *))                                      \
    M(long, PyLong_AsLong, (PyObject *))                                                           \
    M(PyObject *, PyLong_FromUnsignedLong, (unsigned long))                                        \
    M(unsigned long, PyThread_get_thread_ident, (void))                                            \
    M(double, PyFloat_AsDouble, (PyObject *))                                                      \
    M(PyObject *, PyType_FromSpec, (struct python_type_spec *))                                    \
    M(int, PyType_IsSubtype, (PyObject *, PyObject *))                                             \
    M(void *, PyType_GetSlot, (PyObject *, int))                                                   \
    M(unsigned long, PyType_GetFlags, (PyObject *))                                                \
    M(PyObject *, PyType_GenericAlloc, (PyObject *, ssize_t))                                      \
    M(void, PyType_Modified, (PyObject *))                                                         \
    M(void, PyObject_GC_UnTrack, (void *))                                                         \
    M(void, PyObject_GC_Del, (void *))                                                             \
    M(PyObject *, PyMethod_New, (PyObject *, PyObject *))                                          \
    M(PyObject *, PyClassMethod_New, (PyObject *))                                                 \
    M(PyObject *, PyStaticMethod_New, (PyObject *))                                                \
    M(PyObject *, PyCFunction_NewEx, (struct python_method *, PyObject *, PyObject *))             \
    M(PyObject *, PyCapsule_New, (void *, const char *, void *))                                   \
    M(void *, PyCapsule_GetPointer, (PyObject *, const char *))                                    \
    M(PyObject *, PyWeakref_NewRef, (PyObject *, PyObject *))                                      \
    M(PyObject *, PyWeakref_GetObject, (PyObject *))                                               \
    M(int, PyCode_Addr2Line, (PyObject *, int))                                                    \
    M(PyObject *, PyEval_GetFrame, (void))                                                         \
    M(int, PyFrame_GetLineNumber, (PyObject *))                                                    \
    O(PyObject *, PyFrame_GetCode, (PyObject *))               /* from 3.9 */                      \
    O(PyObject *, PyFrame_GetBack, (PyObject *))               /* from 3.9 */                      \
    O(int, PyFrame_GetLasti, (PyObject *))                     /* from 3.11 */                     \
    M(PyObject, _Py_NoneStruct, )                                                                  \
    M(PyObject, _Py_TrueStruct, )                                                                  \
    M(PyObject, PyType_Type, )                                                                     \
    M(PyObject, PyBaseObject_Type, )                                                               \
    M(PyObject, PyUnicode_Type, )                                                                  \
    M(PyObject, PyCode_Type, )                                                                     \
    M(PyObject, PyFunction_Type, )                                                                 \
    M(PyObject, PyCoro_Type, )                                                                     \
    M(PyObject, PyTraceBack_Type, )                                                                \
    M(PyObject *, PyExc_StopIteration, )                                                           \
    M(PyObject, PyCell_Type, )                                                                     \
    M(PyObject, PyMethodDescr_Type, )                                                              \
    M(PyObject, PyClassMethod_Type, )                                                              \
    M(PyObject, PyStaticMethod_Type, )
// clang-format on

struct python_api {
#define PYTHON_FIELD(result, name, arguments) result(*name) arguments;
    PYTHON_FUNCTIONS(PYTHON_FIELD, PYTHON_FIELD)
#undef PYTHON_FIELD
    int major, minor;
};

// Valid once python_api_resolve said so; never changes afterwards.
extern struct python_api py;

// Looks for CPython in the executable and the loaded libraries. 0; -ENOENT: there is none;
// -ENOTSUP: there is one that must be left alone, for this reason. Thread-safe against itself only.
int python_api_resolve(enum trace_python *reason);

// Whether interpreter shutdown has begun: true from the moment at which only the finalizing thread
// may use the API. Any thread, with or without the GIL.
bool python_finalizing(void);

// Whether the calling thread holds the GIL of the interpreter that it is in, and this is the one it
// was in first. PyGILState_Check says yes to everything once there has been a second interpreter.
static inline bool python_holds_gil(void)
{
    void *current = py.PyThreadState_GetUnchecked(); // up to 3.11 of any thread, then of this one
    return current && current == py.PyGILState_GetThisThreadState();
}

// Whether the calling thread, which holds the GIL, is in the main interpreter.
bool python_main_interpreter(void);

// The attribute of an object, or NULL with no exception set. Holds the GIL; may run Python code.
// A new reference.
PyObject *python_attribute(PyObject *object, const char *name);
long python_attribute_long(PyObject *object, const char *name, long otherwise);

// The object named by a module that has been imported and a dotted path in it ("Pool.connect").
// A new reference; NULL (no exception set) if it is not there.
PyObject *python_find(const char *module, const char *path);

// The classes right below a class, as a list. A new reference; NULL (no exception set): not known.
PyObject *python_subclasses(PyObject *type);

// Whether the module is in sys.modules and its code has run to the end. executed: the name of a
// module of which that is known, or NULL.
bool python_module_ready(const char *module, const char *executed);

// The text of a str, valid as long as the object lives; NULL (no exception set) if it is none.
const char *python_text(PyObject *text);

// Calls `callable`, which must not be one of ours. Like PyObject_Vectorcall, on 3.8 too.
PyObject *python_call(PyObject *callable, PyObject *const *args, size_t nargsf, PyObject *names);

// Whether an object is an instance of a class. type: NULL: of none.
static inline bool python_is_a(const PyObject *object, PyObject *type)
{
    return type && (object->type == type || py.PyType_IsSubtype(object->type, type));
}

// How many references there are to an object. GIL held.
static inline ssize_t python_references(const PyObject *object)
{
    return py.minor < 12 ? object->count : (ssize_t)(object->count & UINT32_MAX);
}

// Drops a reference unless it is NULL.
static inline void python_drop(PyObject *object)
{
    if (object)
        py.Py_DecRef(object);
}

#endif
