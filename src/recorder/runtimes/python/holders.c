// Sessions by SQLAlchemy's own list, variables by the frames of threads and tasks: see
// holders.h.
#include "recorder/runtimes/python/holders.h"

#include <stdio.h>
#include <string.h>

#include "recorder/books/session.h"
#include "recorder/core/recorder.h"
#include "recorder/core/table.h"
#include "recorder/runtimes/python/frames.h"
#include "recorder/runtimes/python/layout.h"
#include "recorder/runtimes/python/loops.h"
#include "recorder/runtimes/python/tasks.h"

enum {
    MOST_SESSIONS = 10000, // of each, so that the GIL is held for some milliseconds at most
    MOST_THREADS = 1000,
    MOST_TASKS = 2000,
    MOST_NESTED = 16, // transactions of a session
    MOST_LOCALS = 256,
    CELL_CONTENT = 16, // PyCellObject: ob_ref, the same in 3.8 to 3.13
};

// An object that has one of those looked for, or is it.
struct place {
    PyObject *object; // borrowed: only its address is used
    size_t index;     // into `held`
    UT_hash_handle hh;
};

struct search {
    struct python_held *held;
    void (*found)(size_t index, const struct python_holder *holder, void *data);
    void *data;
    struct place *places;
    PyObject *connection, *async_session, *async_connection; // classes, owned, or NULL
    PyObject *thread, *task; // names of the one that is looked at, str or NULL
    long tid;
    struct python_walk walk;
};

static bool locals_trusted;

static void add_place(struct search *search, PyObject *object, size_t index)
{
    struct place *place = arena_alloc(sizeof *place);
    if (!place)
        return;
    place->object = object;
    place->index = index;
    HASH_ADD(hh, search->places, object, sizeof place->object, place);
    if (!place->hh.tbl)
        arena_free(place, sizeof *place);
}

static const struct place *find(const struct search *search, PyObject *object)
{
    struct place *place;
    HASH_FIND(hh, search->places, &object, sizeof object, place);
    return place;
}

// The place that an attribute of an object leads to.
static const struct place *find_through(const struct search *search, PyObject *object,
                                        const char *name)
{
    PyObject *value = python_attribute(object, name);
    const struct place *place = value ? find(search, value) : NULL;
    python_drop(value);
    return place;
}

// A Connection, of a session or not.
static const struct place *find_connection(const struct search *search, PyObject *connection)
{
    return find_through(search, connection, "_dbapi_connection");
}

static void add_session_connection(struct search *search, PyObject *session, PyObject *item)
{
    PyObject *connection = py.PyTuple_Size(item) > 0 ? py.PyTuple_GetItem(item, 0) : NULL;
    py.PyErr_Clear();
    const struct place *place = connection ? find_connection(search, connection) : NULL;
    if (!place || search->held[place->index].through)
        return; // both the engine and the connection are keys of it
    search->held[place->index].through = "a Session";
    add_place(search, session, place->index);
}

// One SessionTransaction: the connections it took.
static void add_transaction(struct search *search, PyObject *session, PyObject *transaction)
{
    PyObject *connections = python_attribute(transaction, "_connections");
    PyObject *items = connections ? py.PyDict_Values(connections) : NULL;
    py.PyErr_Clear();
    ssize_t count = items ? py.PyList_Size(items) : 0;
    for (ssize_t i = 0; i < count; i++)
        add_session_connection(search, session, py.PyList_GetItem(items, i));
    python_drop(items);
    python_drop(connections);
}

static void add_session(struct search *search, PyObject *session)
{
    PyObject *transaction = python_attribute(session, "_transaction");
    for (int depth = 0; transaction && transaction != py._Py_NoneStruct && depth < MOST_NESTED;
         depth++) {
        add_transaction(search, session, transaction);
        PyObject *parent = python_attribute(transaction, "_parent");
        py.Py_DecRef(transaction);
        transaction = parent;
    }
    python_drop(transaction);
}

// What a list of weak references says is alive, one after the other.
static void each_alive(PyObject *list, ssize_t most, struct search *search,
                       void (*visit)(struct search *search, PyObject *object))
{
    ssize_t count = list ? py.PyList_Size(list) : 0;
    for (ssize_t i = 0; i < count && i < most; i++) {
        PyObject *object = py.PyWeakref_GetObject(py.PyList_GetItem(list, i));
        if (object && object != py._Py_NoneStruct)
            visit(search, object);
        py.PyErr_Clear();
    }
}

// All sessions of the process: sqlalchemy.orm.session._sessions, a WeakValueDictionary.
static void add_sessions(struct search *search)
{
    PyObject *data = python_find("sqlalchemy.orm.session", "_sessions.data");
    PyObject *list = data ? py.PyDict_Values(data) : NULL;
    py.PyErr_Clear();
    each_alive(list, MOST_SESSIONS, search, add_session);
    python_drop(list);
    python_drop(data);
}

// What a variable has to do with what is looked for; NULL: nothing.
static const struct place *place_of(struct search *search, PyObject *object)
{
    const struct place *place = find(search, object);
    if (place)
        return place;
    if (python_is_a(object, search->connection)) {
        place = find_connection(search, object);
        if (place && !search->held[place->index].through)
            search->held[place->index].through = "a Connection";
        return place;
    }
    if (python_is_a(object, search->async_session))
        return find_through(search, object, "sync_session");
    if (!python_is_a(object, search->async_connection))
        return NULL;
    PyObject *inner = python_attribute(object, "sync_connection");
    if (inner && inner != py._Py_NoneStruct)
        place = find_connection(search, inner);
    python_drop(inner);
    return place;
}

// Whether the code is SQLAlchemy's own, or what hands a session on from a generator to a `with`.
static bool is_library(const PyObject *code)
{
    char file[512];
    if (!python_text_copy(python_at(code, python_layout->code_filename), file, sizeof file))
        return true;
    return strstr(file, "/sqlalchemy/") || strstr(file, "/contextlib.py");
}

// The name of a local variable by its number; "" if it is not known.
static void variable_name(PyObject *code, int number, char *text, size_t bytes)
{
    PyObject *names = python_attribute(code, "co_varnames");
    text[0] = '\0';
    if (names && number < py.PyTuple_Size(names))
        (void)python_text_copy(py.PyTuple_GetItem(names, number), text, bytes);
    py.PyErr_Clear();
    python_drop(names);
}

static uint32_t intern_name(PyObject *name)
{
    char text[128];
    return name && python_text_copy(name, text, sizeof text) ? name_intern(text) : TRACE_NONE;
}

// Tells that variable `number` of frame `at` of the walk has one of those looked for.
static void tell(struct search *search, size_t index, uint32_t at, int number)
{
    struct python_holder holder = {.tid = search->tid > 0 ? (uint32_t)search->tid : 0};
    struct stack stack = {.count = 0};
    struct python_walk rest = {.count = search->walk.count - at, .cut = search->walk.cut};
    memcpy(rest.frames, search->walk.frames + at, rest.count * sizeof rest.frames[0]);
    variable_name(rest.frames[0].code, number, holder.variable, sizeof holder.variable);
    if (!recorder_enter())
        return;
    holder.thread = intern_name(search->thread);
    holder.task = intern_name(search->task);
    holder.stack = &stack;
    python_frames_use(&rest);
    python_frames_append(&stack);
    python_frames_use(NULL);
    search->found(index, &holder, search->data);
    search->held[index].done = true;
    recorder_leave();
}

static void look_at_frame(struct search *search, uint32_t at)
{
    const struct python_walk_frame *frame = &search->walk.frames[at];
    int count = python_int_at(frame->code, python_layout->code_locals);
    for (int i = 0; frame->locals && i < count && i < MOST_LOCALS; i++) {
        PyObject *object = python_frame_local(frame->locals, i);
        if (object && object->type == py.PyCell_Type)
            object = python_at(object, CELL_CONTENT);
        const struct place *place = object ? place_of(search, object) : NULL;
        if (place && !search->held[place->index].done && !is_library(frame->code))
            tell(search, place->index, at, i);
    }
}

static void look_at_walk(struct search *search)
{
    for (uint32_t at = 0; at < search->walk.count; at++)
        look_at_frame(search, at);
}

// What `threading` knows of a thread: its name and kernel id, as attributes without code behind.
static void look_at_thread(struct search *search, PyObject *active, PyObject *identity,
                           PyObject *frame)
{
    PyObject *thread = active ? py.PyDict_GetItem(active, identity) : NULL;
    search->thread = thread ? python_attribute(thread, "_name") : NULL;
    search->tid = thread ? python_attribute_long(thread, "_native_id", 0) : 0;
    search->task = NULL;
    python_walk_begin(&search->walk);
    python_walk_frames(&search->walk, frame, true);
    look_at_walk(search);
    python_drop(search->thread);
}

static void look_at_threads(struct search *search)
{
    PyObject *get = python_find("sys", "_current_frames");
    PyObject *frames = get ? py.PyObject_CallObject(get, NULL) : NULL;
    PyObject *identities = frames ? py.PyDict_Keys(frames) : NULL;
    PyObject *active = python_find("threading", "_active");
    py.PyErr_Clear();
    ssize_t count = identities ? py.PyList_Size(identities) : 0;
    for (ssize_t i = 0; i < count && i < MOST_THREADS; i++) {
        PyObject *identity = py.PyList_GetItem(identities, i);
        look_at_thread(search, active, identity, py.PyDict_GetItem(frames, identity));
    }
    python_drop(active);
    python_drop(identities);
    python_drop(frames);
    python_drop(get);
}

static void look_at_task(struct search *search, PyObject *task)
{
    PyObject *coroutine = python_attribute(task, "_coro");
    PyObject *get = python_attribute(task, "get_name");
    search->task = get ? py.PyObject_CallObject(get, NULL) : NULL;
    py.PyErr_Clear();
    search->thread = NULL;
    search->tid = 0;
    if (coroutine) {
        python_walk_begin(&search->walk);
        python_task_walk_coroutine(&search->walk, coroutine);
        look_at_walk(search);
    }
    python_drop(search->task);
    python_drop(get);
    python_drop(coroutine);
}

// All tasks of asyncio: a WeakSet of asyncio.tasks, called otherwise from 3.12 on.
static void look_at_tasks(struct search *search)
{
    PyObject *data = python_find("asyncio.tasks", "_scheduled_tasks.data");
    if (!data)
        data = python_find("asyncio.tasks", "_all_tasks.data");
    PyObject *list = data ? py.PySequence_List(data) : NULL;
    py.PyErr_Clear();
    each_alive(list, MOST_TASKS, search, look_at_task);
    python_drop(list);
    python_drop(data);
}

// Tasks of C are in lists of their own from 3.14 on, and told for one event loop at a time.
static void look_at_tasks_of(struct search *search, PyObject *all_tasks, PyObject *loop)
{
    PyObject *set = python_call(all_tasks, &loop, 1, NULL);
    PyObject *list = set ? py.PySequence_List(set) : NULL;
    py.PyErr_Clear();
    ssize_t count = list ? py.PyList_Size(list) : 0;
    for (ssize_t i = 0; i < count && i < MOST_TASKS; i++)
        look_at_task(search, py.PyList_GetItem(list, i));
    python_drop(list);
    python_drop(set);
}

static void look_at_native_tasks(struct search *search)
{
    PyObject *loops[PYTHON_LOOPS_MOST];
    PyObject *all_tasks = py.minor >= 14 ? python_find("_asyncio", "all_tasks") : NULL;
    const int count = all_tasks ? python_loops_find(&search->walk, loops) : 0;
    for (int i = 0; i < count; i++) {
        look_at_tasks_of(search, all_tasks, loops[i]);
        py.Py_DecRef(loops[i]);
    }
    python_drop(all_tasks);
}

static void forget_places(struct search *search)
{
    struct place *place, *next;
    HASH_ITER (hh, search->places, place, next) {
        HASH_DEL(search->places, place);
        arena_free(place, sizeof *place);
    }
}

void python_holders_find(struct python_held *held, size_t count,
                         void (*found)(size_t index, const struct python_holder *holder,
                                       void *data),
                         void *data)
{
    struct search search = {.held = held, .found = found, .data = data};
    search.connection = python_find("sqlalchemy.engine.base", "Connection");
    search.async_session = python_find("sqlalchemy.ext.asyncio.session", "AsyncSession");
    search.async_connection = python_find("sqlalchemy.ext.asyncio.engine", "AsyncConnection");
    for (size_t i = 0; i < count; i++)
        add_place(&search, held[i].object, i);
    add_sessions(&search);
    if (locals_trusted) {
        look_at_threads(&search);
        look_at_tasks(&search);
        look_at_native_tasks(&search);
    }
    forget_places(&search);
    python_drop(search.connection);
    python_drop(search.async_session);
    python_drop(search.async_connection);
}

static PyObject *check_function;

// Has two frames below it, both of _call_with_frames_removed(f, *args, **kwds).
static PyObject *check(PyObject *self, PyObject *unused)
{
    struct python_walk walk;
    (void)self;
    (void)unused;
    python_layout_check();
    if (atomic_load(&python_layout_trusted)) {
        python_walk_collect(&walk);
        locals_trusted =
            walk.count == 2 && python_frame_local(walk.frames[0].locals, 0) == check_function;
    }
    py.Py_IncRef(py._Py_NoneStruct);
    return py._Py_NoneStruct;
}

void python_holders_prepare(void)
{
    static struct python_method definition = {"check", check, PYTHON_METHOD_NOARGS, NULL};
    if (locals_trusted || py.PyEval_GetFrame())
        return;
    PyObject *call = python_find("_frozen_importlib", "_call_with_frames_removed");
    check_function = py.PyCFunction_NewEx(&definition, NULL, NULL);
    PyObject *args[] = {call, check_function};
    // Two frames: one that calls the other.
    PyObject *result = call && check_function ? python_call(call, args, 2, NULL) : NULL;
    py.PyErr_Clear();
    python_drop(result);
    python_drop(check_function);
    python_drop(call);
}
