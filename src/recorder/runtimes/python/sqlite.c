// Telling who closed a sqlite3.Connection.
//
// The module closes its handle from three places: the method close(), the destructor, and __init__
// of an object that was open already. Only the first is the program's doing. The C function of the
// method is replaced in the method's definition (a PyMethodDef in the module's writable data),
// where nothing in Python can see it; it notes that close() is under way on this thread.
//
// From 3.12 on the destructor is a finalizer, which the collector runs before it takes anything
// apart. The handle of a connection that is finalized is gone when a traceback that has the
// connection is looked at: so the class's finalizer is replaced too, and remembers the session.
#include "recorder/runtimes/python/sqlite.h"

#include <link.h>
#include <stdatomic.h>
#include <string.h>

#include "recorder/books/session.h"
#include "recorder/core/loader.h"
#include "recorder/core/recorder.h"
#include "recorder/runtimes/python/created.h"
#include "recorder/runtimes/python/layout.h"
#include "recorder/runtimes/python/shutdown.h"
#include "recorder/runtimes/python/watch.h"

enum { DESCRIPTOR_METHOD = 40 }; // PyMethodDescrObject: d_method, the same in 3.8 to 3.15
enum { CONNECTION_DB = 16 };     // pysqlite_Connection: db, the first member, likewise

static PyObject *connection_type;      // of the main interpreter
static struct python_method *replaced; // where close_method stands
static PyObject *(*real_close)(PyObject *self, PyObject *unused);
static atomic_uintptr_t module_start, module_end; // of the code that calls sqlite3_close_v2

// When close_method was put there, if the recorder came into a running process.
static _Atomic uint64_t replaced_ns;

static __thread unsigned closing __attribute__((tls_model("initial-exec")));

static PyObject *close_method(PyObject *self, PyObject *unused)
{
    closing++;
    PyObject *result = real_close(self, unused);
    closing--;
    return result;
}

static void (*real_finalize)(PyObject *self);

// The session of a connection that is open; TRACE_NONE. Inside recorder_enter.
static uint32_t slot_of(PyObject *connection)
{
    const uint64_t handle = (uint64_t)(uintptr_t)python_at(connection, CONNECTION_DB);
    return handle && recorder_trace.header ? session_slot(name_intern("sqlite3"), handle)
                                           : TRACE_NONE;
}

static void finalize(PyObject *self)
{
    if (connection_type && python_at(self, CONNECTION_DB) && recorder_enter()) {
        const uint32_t slot = python_main_interpreter() ? slot_of(self) : TRACE_NONE;
        if (slot != TRACE_NONE)
            python_created_hold(self, slot);
        recorder_leave();
    }
    real_finalize(self);
}

static void **finalizer_of(PyObject *type)
{
    return (void **)((char *)type + PYTHON_TYPE_FINALIZE);
}

static void exchange_finalizer(PyObject *type, void *from, void *to, int depth);

// Classes that are derived from it have copied the pointer.
static void exchange_in_subclasses(PyObject *type, void *from, void *to, int depth)
{
    PyObject *list = python_subclasses(type);
    for (ssize_t i = 0; list && i < py.PyList_Size(list); i++)
        exchange_finalizer(py.PyList_GetItem(list, i), from, to, depth);
    python_drop(list);
    py.PyErr_Clear();
}

static void exchange_finalizer(PyObject *type, void *from, void *to, int depth)
{
    enum { DEEPEST = 16 };
    if (depth >= DEEPEST)
        return;
    if (*finalizer_of(type) == from) {
        __atomic_store_n(finalizer_of(type), to, __ATOMIC_RELEASE);
        exchange_in_subclasses(type, from, to, depth + 1);
    }
}

static void replace_finalizer(PyObject *type)
{
    void *there = *finalizer_of(type);
    if (!there || there == (void *)finalize ||
        there != py.PyType_GetSlot(type, PYTHON_SLOT_FINALIZE))
        return;
    *(void **)&real_finalize = there;
    exchange_finalizer(type, there, (void *)finalize, 0);
}

static void restore_finalizer(void)
{
    if (connection_type)
        exchange_finalizer(connection_type, (void *)finalize, *(void **)&real_finalize, 0);
}

// The module that an address is in, and whether another address in it may be written.
struct module_search {
    uintptr_t code, data;
    uintptr_t start, end;
    bool writable;
};

static int module_visit(struct dl_phdr_info *info, size_t size, void *pointer)
{
    struct module_search *search = pointer;
    struct module_search found = *search;
    bool has_code = false;
    (void)size;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *header = &info->dlpi_phdr[i];
        uintptr_t start = info->dlpi_addr + header->p_vaddr, end = start + header->p_memsz;
        if (header->p_type == PT_GNU_RELRO && search->data >= start && search->data < end)
            return 1;
        if (header->p_type != PT_LOAD)
            continue;
        if (search->code >= start && search->code < end) {
            has_code = true;
            found.start = start;
            found.end = end;
        }
        if ((header->p_flags & PF_W) && search->data >= start && search->data < end)
            found.writable = true;
    }
    if (has_code)
        *search = found;
    return has_code;
}

static void prepare(bool main_interpreter)
{
    PyObject *type = python_find("_sqlite3", "Connection");
    PyObject *method = type ? python_attribute(type, "close") : NULL;
    if (method && method->type == py.PyMethodDescr_Type) {
        struct python_method *definition = python_at(method, DESCRIPTOR_METHOD);
        struct module_search search = {.code = (uintptr_t)definition->function,
                                       .data = (uintptr_t)&definition->function};
        loader_each(module_visit, &search);
        if (search.writable && definition->flags == PYTHON_METHOD_NOARGS &&
            definition->function != (void *)close_method && // by an interpreter before this one
            strcmp(definition->name, "close") == 0) {
            real_close = definition->function;
            __atomic_store_n(&definition->function, close_method, __ATOMIC_RELEASE);
            replaced = definition;
            atomic_store(&replaced_ns, recorder_attached ? recorder_now() : 0);
            atomic_store(&module_end, search.end);
            atomic_store(&module_start, search.start);
        }
    }
    python_drop(method);
    if (!main_interpreter)
        python_drop(type);
    else if ((connection_type = type)) // kept
        replace_finalizer(type);
}

void python_sqlite_prepare(void)
{
    static atomic_flag busy = ATOMIC_FLAG_INIT; // interpreters may have a GIL each
    bool main_interpreter = python_main_interpreter();
    if (python_keeps_nothing())
        return;
    if (main_interpreter ? connection_type != NULL : atomic_load(&module_start) != 0)
        return;
    if (atomic_flag_test_and_set(&busy))
        return;
    prepare(main_interpreter);
    atomic_flag_clear(&busy);
}

bool python_sqlite_is_some_connection(PyObject *object)
{
    return python_is_a(object, connection_type);
}

struct trace_session *python_sqlite_session(PyObject *connection)
{
    const uint32_t slot = slot_of(connection);
    if (slot == TRACE_NONE)
        return python_created_session(connection);
    struct trace_session *record = trace_record(&recorder_trace, TRACE_SESSIONS, slot);
    return record && !(record->flags & TRACE_SESSION_POOLED) ? record : NULL;
}

void python_sqlite_undo(void)
{
    if (replaced && replaced->function == (void *)close_method)
        __atomic_store_n(&replaced->function, (void *)real_close, __ATOMIC_RELEASE);
    replaced = NULL;
    python_sqlite_drop();
}

void python_sqlite_drop(void)
{
    restore_finalizer();
    python_drop(connection_type);
    connection_type = NULL;
}

void python_sqlite_forget(void)
{
    connection_type = NULL;
}

// Whether this thread may have been in the method already when it was replaced: it comes here once
// it is on a processor, and is then on its way, without the interpreter's lock.
static bool may_have_been_closing(void)
{
    enum { SECOND = 1000000000 };
    const uint64_t since_ns = atomic_load_explicit(&replaced_ns, memory_order_relaxed);
    return since_ns != 0 && recorder_now() - since_ns < SECOND;
}

enum runtime_closer python_sqlite_closer(const struct runtime_call *call)
{
    uintptr_t caller = (uintptr_t)call->caller;
    uintptr_t start = atomic_load_explicit(&module_start, memory_order_relaxed);
    uintptr_t end = atomic_load_explicit(&module_end, memory_order_relaxed);
    if (caller < start || caller >= end)
        return RUNTIME_NOT_MINE;
    if (closing)
        return RUNTIME_CODE;
    if (may_have_been_closing())
        return RUNTIME_UNKNOWN;
    return python_finalizing() ? RUNTIME_END : RUNTIME_REFERENCE;
}

static void own_handle(const char *kind, uint64_t handle, uint32_t pool)
{
    if (!kind || !handle || !recorder_enter())
        return;
    if (recorder_trace.header)
        (void)session_set_owner(name_intern(kind), handle, pool);
    recorder_leave();
}

// The same for SQLite's own handles, which may have been opened before an attach.
static void own_database(uint64_t handle, uint32_t pool)
{
    own_handle("sqlite3", handle, pool);
    if (!handle || pool == TRACE_NONE || !recorder_attached || !recorder_enter())
        return;
    const struct inherited found = {
        .handle = handle,
        .kind = name_intern("sqlite3"),
        .session = TRACE_HANDLE,
        .owner = pool,
    };
    if (recorder_trace.header)
        (void)session_inherit(&found);
    recorder_leave();
}

bool python_sqlite_is_connection(const PyObject *object)
{
    python_sqlite_prepare();
    return connection_type && object->type == connection_type;
}

// What a connection object is made around: aiosqlite's and SQLAlchemy's adapters say `_connection`,
// Django's DatabaseWrapper `connection`. A new reference or NULL.
static PyObject *inner_connection(PyObject *connection)
{
    PyObject *inner = python_attribute(connection, "_connection");
    return inner ? inner : python_attribute(connection, "connection");
}

void python_sqlite_own(PyObject *connection, uint32_t pool, bool itself)
{
    enum { DEEPEST = 4 };
    python_sqlite_prepare();
    if (!connection_type && !itself)
        return;
    py.Py_IncRef(connection);
    for (int depth = 0; connection && depth < DEEPEST; depth++) {
        if (connection_type && python_is_a(connection, connection_type)) {
            own_database((uint64_t)(uintptr_t)python_at(connection, CONNECTION_DB), pool);
            break;
        }
        if (itself || depth > 0)
            own_handle(python_watch_kind(connection), (uint64_t)(uintptr_t)connection, pool);
        PyObject *inner = inner_connection(connection);
        py.Py_DecRef(connection);
        connection = inner;
    }
    python_drop(connection);
}
