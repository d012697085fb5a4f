// Noticing that an exception left a function while it held a session.
//
// An exception leaves a traceback entry for each function that it passes, and the entry keeps the
// function's frame with its local variables. When the entry goes away, these tell: a frame that has
// ended, and not by a return instruction, was left by the exception; a local variable that holds a
// session which is still out, acquired in that very function or on its behalf, is one whose close()
// was skipped. The destructor of the traceback type is replaced for that. Nothing is done while
// exceptions are raised and handled.
#include "recorder/runtimes/python/traceback.h"

#include <stdatomic.h>

#include "recorder/books/sites.h"
#include "recorder/core/recorder.h"
#include "recorder/runtimes/python/created.h"
#include "recorder/runtimes/python/drivers.h"
#include "recorder/runtimes/python/frames.h"
#include "recorder/runtimes/python/layout.h"
#include "recorder/runtimes/python/sqlite.h"

enum { // PyTracebackObject, the same in 3.8 to 3.15
    TRACEBACK_NEXT = 16,
    TRACEBACK_FRAME = 24,
    CELL_CONTENT = 16,
    BYTES_DATA = 32,
    FRAME_RAISED = 3,          // 3.10: enum _framestate
    OWNED_BY_FRAME_OBJECT = 2, // from 3.11: the frame has ended, its object keeps the locals
    MOST_LOCALS = 256,
    CODE_FREEVARS = 80, // to 3.10, where co_nlocals does not count these
    CODE_CELLVARS = 88,
    TUPLE_SIZE = 16,
};

// Flags of int, list, tuple, bytes, str, dict, exceptions, types and what is derived of them.
static const uintptr_t TYPE_BUILTIN = 0xff000000;

static void (*real_dealloc)(PyObject *self);
static int (*real_clear)(PyObject *self);
static PyObject *connection_class, *async_class;

void python_traceback_connection_class(PyObject *type)
{
    connection_class = type;
}

void python_traceback_async_class(PyObject *type)
{
    async_class = type;
}

// Whether a frame that stopped at this instruction may have returned. Tools that trace a program
// put instructions of their own in the place of others: there it is not known.
static bool may_return(uint8_t opcode)
{
    const struct python_layout *known = python_layout;
    const uint8_t returns[] = {known->return_value,        known->return_const,
                               known->traced_return_value, known->traced_return_const,
                               known->traced_other[0],     known->traced_other[1]};
    for (size_t i = 0; i < sizeof returns; i++)
        if (returns[i] && opcode == returns[i])
            return true;
    return known->return_value == 0;
}

// Whether a frame object's function has ended by an exception. *frame: where its locals are.
static bool left_by_exception(const PyObject *object, const void **frame)
{
    *frame = object;
    if (python_layout->object_frame >= 0) {
        *frame = python_at(object, python_layout->object_frame);
        if (!*frame ||
            *((const char *)*frame + python_layout->frame_owner) != OWNED_BY_FRAME_OBJECT)
            return false;
    }
    const PyObject *code = python_frame_code(*frame);
    int state = python_layout->object_frame < 0
                    ? *((const signed char *)object + python_layout->object_state)
                    : 0;
    if (python_layout->minor == 10)
        return state == FRAME_RAISED;
    if (state != 0) // still running
        return false;
    int at = python_frame_instruction(*frame, code);
    const uint8_t *bytes =
        python_layout->object_frame >= 0
            ? (const uint8_t *)code + python_layout->code_bytes
            : (const uint8_t *)python_at(code, python_layout->code_bytes) + BYTES_DATA;
    return at >= 0 && !may_return(bytes[at]);
}

// Whether a function is among the Python frames of a stack, by the names of its file and itself.
static bool stack_has(uint32_t stack, const struct trace_location *function)
{
    const uint64_t *frames;
    uint32_t count = trace_stack_frames(&recorder_trace, stack, &frames, NULL);
    for (uint32_t i = 0; i < count; i++) {
        if (!(frames[i] & TRACE_FRAME_LOCATION))
            continue;
        const struct trace_location *location =
            trace_record(&recorder_trace, TRACE_LOCATIONS, (uint32_t)frames[i]);
        if (location && location->file == function->file &&
            location->function == function->function)
            return true;
    }
    return false;
}

// Marks a session as left by an exception. The collector takes a session that is in a cycle with
// the exception first: it has ended then.
static void mark(struct trace_session *record, struct trace_site *site)
{
    uint32_t before = __atomic_fetch_or(&record->flags, TRACE_SESSION_EXCEPTION, __ATOMIC_RELAXED);
    bool ended = __atomic_load_n(&record->state, __ATOMIC_ACQUIRE) == TRACE_SLOT_FREE;
    if (ended && !(before & TRACE_SESSION_EXCEPTION))
        session_exception_counted(site);
}

// An exception left the function of `frame`, which had a variable with what holds a session.
static void note_exception(PyObject *holder, const struct python_walk_frame *frame)
{
    if (!recorder_enter())
        return;
    struct trace_session *record = python_sqlite_is_some_connection(holder)
                                       ? python_sqlite_session(holder)
                                       : python_created_session(holder);
    if (!record && python_drivers_is_object(holder))
        record = python_drivers_session(holder);
    struct trace_site *site = record ? site_record(record->site) : NULL;
    const struct trace_location *function =
        site ? trace_record(&recorder_trace, TRACE_LOCATIONS, python_location(frame)) : NULL;
    if (function && (stack_has(site->created, function) || stack_has(site->stack, function)))
        mark(record, site);
    recorder_leave();
}

// The name of the attribute that has the object which was noted, of an object that stands for one;
// NULL: it stands for itself.
static const char *stands_for(const PyObject *object)
{
    if (connection_class && object->type == connection_class)
        return "_dbapi_connection";
    if (python_is_a(object, async_class))
        return "sync_session";
    return NULL;
}

// Whether a variable may have to do with a session: asked of each, so the frequent ones first.
static bool may_hold(PyObject *object)
{
    return !((uintptr_t)python_at(object->type, PYTHON_TYPE_FLAGS) & TYPE_BUILTIN) &&
           object != py._Py_NoneStruct &&
           (python_created_session(object) || python_sqlite_is_some_connection(object) ||
            python_drivers_is_object(object) || stands_for(object));
}

// An exception that is being raised is kept.
static void look_at_holder(PyObject *object, const struct python_walk_frame *frame)
{
    PyObject *type, *value, *traceback;
    const char *name = python_created_session(object) ? NULL : stands_for(object);
    py.PyErr_Fetch(&type, &value, &traceback);
    py.Py_IncRef(object);
    PyObject *holder = name ? python_attribute(object, name) : object;
    if (holder)
        note_exception(holder, frame);
    if (name)
        python_drop(holder);
    py.Py_DecRef(object);
    py.PyErr_Restore(type, value, traceback);
}

// How many variables a frame of this code has, those that inner functions share included.
static ssize_t variables_of(const PyObject *code)
{
    ssize_t count = python_int_at(code, python_layout->code_locals);
    if (python_layout->object_frame < 0)
        count += (ssize_t)python_at(python_at(code, CODE_CELLVARS), TUPLE_SIZE) +
                 (ssize_t)python_at(python_at(code, CODE_FREEVARS), TUPLE_SIZE);
    return count;
}

static void look_at_locals(const void *frame)
{
    PyObject *code = python_frame_code(frame);
    PyObject **locals = (PyObject **)((char *)frame + python_layout->frame_locals); // NOLINT
    const struct python_walk_frame where = {.code = code, .locals = locals, .instruction = 0};
    ssize_t count = variables_of(code);
    for (ssize_t i = 0; i < count && i < MOST_LOCALS; i++) {
        PyObject *object = python_frame_local(locals, i);
        if (object && object->type == py.PyCell_Type)
            object = python_at(object, CELL_CONTENT);
        if (object && may_hold(object))
            look_at_holder(object, &where);
    }
}

static void look_at_traceback(const PyObject *self)
{
    const PyObject *object = python_at(self, TRACEBACK_FRAME);
    const void *frame;
    if (object && recorder_trace.header && left_by_exception(object, &frame) &&
        atomic_load_explicit(&recorder_active, memory_order_relaxed) && python_main_interpreter())
        look_at_locals(frame);
}

// The interpreter keeps destructors of long chains from nesting too deep only if they are the
// type's own: so the chain is taken apart here, one entry after the other.
static void traceback_dealloc(PyObject *self)
{
    while (self) {
        PyObject **next_place = (PyObject **)((char *)self + TRACEBACK_NEXT);
        PyObject *next = *next_place;
        *next_place = NULL;
        py.PyObject_GC_UnTrack(self); // before anything else may run
        look_at_traceback(self);
        real_dealloc(self);
        if (next && python_references(next) != 1) {
            py.Py_DecRef(next);
            next = NULL;
        }
        if (next)
            next->count = 0; // ours was the last reference
        self = next;
    }
}

static int traceback_clear(PyObject *self)
{
    look_at_traceback(self);
    return real_clear(self);
}

void python_traceback_watch(void)
{
    void **dealloc = (void **)((char *)py.PyTraceBack_Type + PYTHON_TYPE_DEALLOC);
    void **clear = (void **)((char *)py.PyTraceBack_Type + PYTHON_TYPE_CLEAR);
    if (!python_layout_trusted || *dealloc == (void *)traceback_dealloc)
        return;
    if (*dealloc != py.PyType_GetSlot(py.PyTraceBack_Type, PYTHON_SLOT_DEALLOC) &&
        py.minor >= 10) // before 3.10 PyType_GetSlot refuses static types
        return;
    py.PyErr_Clear();
    *(void **)&real_dealloc = *dealloc;
    *(void **)&real_clear = *clear;
    *clear = (void *)traceback_clear;
    *dealloc = (void *)traceback_dealloc;
}

void python_traceback_drop(void)
{
    python_drop(connection_class);
    python_drop(async_class);
    connection_class = async_class = NULL;
}

void python_traceback_undo(void)
{
    void **dealloc = (void **)((char *)py.PyTraceBack_Type + PYTHON_TYPE_DEALLOC);
    void **clear = (void **)((char *)py.PyTraceBack_Type + PYTHON_TYPE_CLEAR);
    if (*dealloc != (void *)traceback_dealloc || *clear != (void *)traceback_clear)
        return;
    *clear = *(void **)&real_clear;
    *dealloc = *(void **)&real_dealloc;
    python_traceback_drop();
}
