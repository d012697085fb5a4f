// SQLAlchemy 1.4 to 2.1: checkouts and their end.
//
// A connection record (sqlalchemy.pool.base._ConnectionRecord) is one place in a pool; a checkout
// lasts from _ConnectionRecord.checkout to _finalize_fairy, which the code reaches by close() and
// the garbage collector by a weak reference or, in 2.1, a weakref.finalize. Pool events are not
// used: a checkout listener makes the library take a slower way, and no event tells who returned a
// connection or that none was left.
//
// The handle of a checkout is the record; where one record serves several checkouts at once
// (StaticPool) it is the _ConnectionFairy.
#include "recorder/runtimes/python/sqlalchemy.h"

#include <string.h>

#include "recorder/books/session.h"
#include "recorder/core/recorder.h"
#include "recorder/runtimes/python/context.h"
#include "recorder/runtimes/python/created.h"
#include "recorder/runtimes/python/inherit.h"
#include "recorder/runtimes/python/shared.h"
#include "recorder/runtimes/python/shutdown.h"
#include "recorder/runtimes/python/sqlalchemy_pool.h"
#include "recorder/runtimes/python/sqlite.h"
#include "recorder/runtimes/python/traceback.h"
#include "recorder/runtimes/python/wrap.h"

static const char base[] = "sqlalchemy.pool.base";

// Interned names of attributes, made once.
static struct {
    PyObject *record, *fairy_ref, *session, *pool_of_record, *dbapi_connection;
} names;

static PyObject *timeout_error; // sqlalchemy.exc.TimeoutError

// An attribute by interned name: NULL with no exception set if there is none. A new reference.
static PyObject *attribute(PyObject *object, PyObject *name)
{
    PyObject *value = py.PyObject_GetAttr(object, name);
    if (!value)
        py.PyErr_Clear();
    return value;
}

// Fills in what an acquire of `pool` has in common; inside recorder_enter.
static struct acquire acquire_of(struct python_pool *pool, const struct python_moment *moment,
                                 uint64_t handle, uint64_t started, const struct stack *stack)
{
    uint32_t ref = python_pool_ref(pool);
    return (struct acquire){
        .handle = handle,
        .kind = pool->kind_ref,
        .session = TRACE_CHECKOUT,
        .pool = ref,
        .database = pool->name_ref,
        .task = python_moment_task(moment),
        .started_ns = started,
        .stack = stack,
    };
}

// The stack of a session's creation; an empty one if it was created before the attach. Inside
// recorder_enter.
static uint32_t where_created(PyObject *session)
{
    static const struct stack not_seen;
    uint32_t created = python_created_find(session);
    if (created != TRACE_NONE || !recorder_attached)
        return created;
    return stack_intern(&not_seen, recorder_now_coarse());
}

static void note_shared(PyObject *fairy, PyObject *record)
{
    PyObject *reference = attribute(record, names.fairy_ref);
    if (reference)
        python_shared_add(fairy, reference);
    python_drop(reference);
}

static void note_acquired(const struct python_invocation *call, struct python_pool *pool,
                          PyObject *fairy, uint64_t started)
{
    PyObject *record = attribute(fairy, names.record);
    if (!record)
        return;
    struct python_moment moment;
    python_moment_take(&moment);
    PyObject *transaction = moment.walk.session;
    PyObject *session = transaction ? attribute(transaction, names.session) : NULL;
    if (pool->text.shared)
        note_shared(fairy, record);
    if (recorder_attached) // it may have been opened before
        python_sqlalchemy_pool_adopt(record, pool);
    if (recorder_enter_trace()) {
        struct stack stack;
        uint64_t handle = (uint64_t)(uintptr_t)(pool->text.shared ? fairy : record);
        python_moment_stack(&moment, call->origin, &stack);
        struct acquire acquire = acquire_of(pool, &moment, handle, started, &stack);
        acquire.created = session ? where_created(session) : TRACE_NONE;
        if (recorder_attached && session_disinherit(acquire.kind, handle, started))
            python_inherit_count(-1);
        uint32_t slot = session_acquired(&acquire, recorder_now());
        python_created_hold(fairy, slot);
        if (moment.walk.connection) // the collector may take them apart before an exception goes
            python_created_hold(moment.walk.connection, slot);
        if (session)
            python_created_hold(session, slot);
        recorder_leave();
    }
    python_inherit_count(1);
    python_drop(session);
    python_moment_drop(&moment);
    py.Py_DecRef(record);
}

static void note_failed(const struct python_invocation *call, struct python_pool *pool,
                        uint64_t started)
{
    PyObject *type, *value, *traceback;
    py.PyErr_Fetch(&type, &value, &traceback);
    bool timed_out = type && timeout_error && py.PyErr_GivenExceptionMatches(type, timeout_error);
    struct python_moment moment;
    python_moment_take(&moment);
    if (recorder_enter_trace()) {
        struct stack stack;
        python_moment_stack(&moment, call->origin, &stack);
        struct acquire acquire = acquire_of(pool, &moment, 0, started, &stack);
        session_acquire_failed(&acquire, timed_out, recorder_now());
        recorder_leave();
    }
    python_moment_drop(&moment);
    py.PyErr_Restore(type, value, traceback);
}

// _ConnectionRecord.checkout(cls, pool)
static PyObject *checkout(const struct python_invocation *call)
{
    PyObject *object = python_invocation_argument(call, 1, "pool");
    if (!object || !atomic_load_explicit(&recorder_active, memory_order_relaxed))
        return python_invoke(call);
    struct python_pool *pool = python_sqlalchemy_pool(object);
    if (!pool)
        return python_invoke(call);
    python_inherit_more();
    if (recorder_enter()) { // opening a trace takes time, which is not the program's
        (void)python_pool_ref(pool);
        recorder_leave();
    }
    // The coarse clock will do: a wait that matters takes longer than its tick.
    uint64_t started = recorder_now_coarse();
    uint32_t wait = python_pool_wait_begin(pool);
    PyObject *fairy = python_invoke(call);
    python_pool_wait_end(pool, wait);
    if (!atomic_load_explicit(&recorder_active, memory_order_relaxed)) // detached meanwhile
        return fairy;
    if (fairy)
        note_acquired(call, pool, fairy, started);
    else
        note_failed(call, pool, started);
    return fairy;
}

// The string reference of the kind; TRACE_NONE if there is no trace. Inside recorder_enter.
static uint32_t kind_reference(void)
{
    static uint32_t generation, reference; // guarded by the GIL
    if (generation != recorder_generation && recorder_trace.header) {
        reference = name_intern(python_sqlalchemy_kind);
        generation = recorder_generation;
    }
    return recorder_trace.header ? reference : TRACE_NONE;
}

// false: no session of this handle was out.
static bool note_released(uint64_t handle, enum trace_end end)
{
    if (!recorder_enter())
        return false;
    struct session session;
    uint32_t kind_ref = kind_reference();
    bool taken = kind_ref != TRACE_NONE && session_take(kind_ref, handle, &session);
    if (taken)
        session_end(&session, end, session.taken_ns);
    recorder_leave();
    python_inherit_count(-taken);
    return taken;
}

// An unknown checkout was given back: it was taken by a call that began before the attach.
static void note_unknown(PyObject *object, enum trace_end end)
{
    struct python_pool *pool = object ? python_sqlalchemy_pool(object) : NULL;
    if (!pool || !recorder_enter_trace())
        return;
    uint32_t ref = python_pool_ref(pool);
    if (ref != TRACE_NONE)
        session_inherited_ended(pool->kind_ref, TRACE_CHECKOUT, ref, end);
    recorder_leave();
}

// How the installed version says that the collector returns a connection. Guarded by the GIL.
static enum finalizer {
    FINALIZER_UNKNOWN = 0,
    FINALIZER_REFERENCE, // 1.4, 2.0: the fourth argument, `ref`, is the reference that died
    FINALIZER_FLAG,      // 2.1: `is_gc_cleanup` is true; called for each fairy that dies
} finalizer;

// One call of _finalize_fairy(dbapi_connection, connection_record, pool, [ref,] echo,
// transaction_was_reset, fairy[, is_gc_cleanup]).
struct finalized {
    PyObject *connection, *record, *pool;
    PyObject *reference; // that died; NULL: not known, or not collected
    PyObject *fairy;     // the code's; NULL: not said
    bool collected;
};

static bool read_finalized(const struct python_invocation *call, struct finalized *of)
{
    const bool flag = finalizer == FINALIZER_FLAG;
    *of = (struct finalized){
        .connection = python_invocation_argument(call, 0, "dbapi_connection"),
        .record = python_invocation_argument(call, 1, "connection_record"),
        .pool = python_invocation_argument(call, 2, "pool"),
        .reference = flag ? NULL : python_invocation_argument(call, 3, "ref"),
        .fairy = python_invocation_argument(call, flag ? 5 : 6, "fairy"),
    };
    if (of->reference == py._Py_NoneStruct)
        of->reference = NULL;
    const PyObject *cleanup = flag ? python_invocation_argument(call, 6, "is_gc_cleanup") : NULL;
    of->collected = of->reference || (cleanup && cleanup == py._Py_TrueStruct);
    return of->record && of->record != py._Py_NoneStruct;
}

static bool is_shared(PyObject *object)
{
    const struct python_pool *pool = object ? python_sqlalchemy_pool(object) : NULL;
    return pool && pool->text.shared;
}

// The session that ends because a fairy has died. 0: it was back already, or another fairy has the
// record now.
static uint64_t collected_handle(const struct finalized *of)
{
    uint64_t fairy = 0;
    if (of->reference)
        fairy = python_shared_collected(of->reference);
    else if (python_shared_any() && is_shared(of->pool))
        fairy = python_shared_dead();
    if (fairy)
        return fairy;
    PyObject *current = attribute(of->record, names.fairy_ref);
    const bool its = of->reference ? current == of->reference
                                   : current && current != py._Py_NoneStruct &&
                                         py.PyWeakref_GetObject(current) == py._Py_NoneStruct;
    py.PyErr_Clear();
    python_drop(current);
    return its ? (uint64_t)(uintptr_t)of->record : 0;
}

static PyObject *finalize_fairy(const struct python_invocation *call)
{
    struct finalized of;
    if (!read_finalized(call, &of) || !atomic_load_explicit(&recorder_active, memory_order_relaxed))
        return python_invoke(call);
    uint64_t handle = (uint64_t)(uintptr_t)of.record;
    enum trace_end end = TRACE_RELEASED;
    if (of.collected) {
        handle = collected_handle(&of);
        end = python_is_shutdown() ? TRACE_SHUTDOWN : TRACE_RECLAIMED;
    } else {
        if (python_shared_any() && of.fairy && python_shared_released(of.fairy))
            handle = (uint64_t)(uintptr_t)of.fairy;
        if (of.connection == py._Py_NoneStruct) // invalidate() took it before
            end = TRACE_DISCARDED;
    }
    if (handle && !note_released(handle, end) && recorder_attached)
        note_unknown(of.pool, end);
    return python_invoke(call);
}

// _ConnectionFairy.detach(self): the connection is the program's own from now on. Within
// _finalize_fairy the session has ended already, and only the collector still needs it.
static PyObject *detach(const struct python_invocation *call)
{
    PyObject *fairy = python_invocation_argument(call, 0, NULL);
    PyObject *record = fairy ? attribute(fairy, names.record) : NULL;
    if (record && record != py._Py_NoneStruct &&
        note_released(python_shared_released(fairy) ? (uint64_t)(uintptr_t)fairy
                                                    : (uint64_t)(uintptr_t)record,
                      TRACE_DISCARDED)) {
        PyObject *connection = attribute(record, names.dbapi_connection);
        if (connection)
            python_sqlite_own(connection, TRACE_NONE, true);
        python_drop(connection);
    }
    python_drop(record);
    return python_invoke(call);
}

// _ConnectionRecord._checkin_failed(self, ...): a checkout that fails after all.
static PyObject *checkin_failed(const struct python_invocation *call)
{
    PyObject *record = python_invocation_argument(call, 0, NULL);
    if (record)
        (void)note_released((uint64_t)(uintptr_t)record, TRACE_DISCARDED);
    return python_invoke(call);
}

// _ConnectionRecord.__connect(self): handles opened here belong to the pool.
static PyObject *connect(const struct python_invocation *call)
{
    PyObject *record = python_invocation_argument(call, 0, NULL);
    PyObject *object = record ? attribute(record, names.pool_of_record) : NULL;
    struct python_pool *pool = object ? python_sqlalchemy_pool(object) : NULL;
    python_drop(object); // the record keeps it
    if (!pool || !recorder_enter_trace())
        return python_invoke(call);
    uint32_t ref = python_pool_ref(pool);
    // Tasks take turns on a thread: "what this thread opens" says nothing there.
    bool own = !pool->text.is_async;
    struct thread_owner before = {TRACE_NONE, false};
    if (own)
        before = session_thread_owner((struct thread_owner){ref, false});
    recorder_leave();
    PyObject *result = python_invoke(call);
    if (own)
        (void)session_thread_owner(before);
    PyObject *connection = result && !own ? attribute(record, names.dbapi_connection) : NULL;
    if (connection)
        python_sqlite_own(connection, ref, true);
    python_drop(connection);
    return result;
}

// Session.__init__(self, ...)
static PyObject *session_init(const struct python_invocation *call)
{
    PyObject *session = python_invocation_argument(call, 0, NULL);
    struct python_moment moment;
    python_moment_take(&moment);
    if (session && recorder_enter_trace()) {
        python_created_note(session, python_moment_intern(&moment, recorder_now_coarse()));
        recorder_leave();
    }
    python_moment_drop(&moment);
    return python_invoke(call);
}

// The code that runs inside decorators: the innermost __wrapped__.
static void mark_method(enum python_mark mark, const char *module, const char *path)
{
    PyObject *function = python_find(module, path);
    PyObject *inner;
    while (function && (inner = python_attribute(function, "__wrapped__"))) {
        python_drop(function);
        function = inner;
    }
    PyObject *code = function ? python_attribute(function, "__code__") : NULL;
    if (code)
        python_frames_mark(mark, code);
    python_drop(code);
    python_drop(function);
}

static bool learn_names(void)
{
    if (names.record)
        return true;
    names.fairy_ref = py.PyUnicode_InternFromString("fairy_ref");
    names.session = py.PyUnicode_InternFromString("session");
    names.pool_of_record = py.PyUnicode_InternFromString("_ConnectionRecord__pool");
    names.dbapi_connection = py.PyUnicode_InternFromString("dbapi_connection");
    timeout_error = python_find("sqlalchemy.exc", "TimeoutError");
    if (names.fairy_ref && names.session && names.pool_of_record && names.dbapi_connection)
        names.record = py.PyUnicode_InternFromString("_connection_record");
    py.PyErr_Clear();
    return names.record;
}

void python_sqlalchemy_drop(void)
{
    python_drop(timeout_error);
    timeout_error = NULL;
    python_sqlalchemy_pool_drop();
}

void python_sqlalchemy_forget(void)
{
    memset(&names, 0, sizeof names);
    timeout_error = NULL;
    python_sqlalchemy_pool_forget();
}

// By the parameters of _finalize_fairy. Where they are others than those known, nothing is wrapped:
// no checkout is better than one that never ends.
static bool learn_finalizer(void)
{
    PyObject *code = python_find(base, "_finalize_fairy.__code__");
    PyObject *variables = code ? python_attribute(code, "co_varnames") : NULL;
    const ssize_t count = variables ? py.PyTuple_Size(variables) : 0;
    finalizer = FINALIZER_UNKNOWN;
    for (ssize_t i = 3; i < count && i <= 6; i++) {
        const char *name = python_text(py.PyTuple_GetItem(variables, i));
        if (name && i == 3 && strcmp(name, "ref") == 0)
            finalizer = FINALIZER_REFERENCE;
        if (name && i == 6 && strcmp(name, "is_gc_cleanup") == 0)
            finalizer = FINALIZER_FLAG;
    }
    py.PyErr_Clear();
    python_drop(variables);
    python_drop(code);
    return finalizer != FINALIZER_UNKNOWN;
}

void python_sqlalchemy_pools(void)
{
    if (!learn_names() || !learn_finalizer())
        return;
    // The end before the beginning: no checkout is seen of which the end would not be.
    (void)(python_wrap(base, "_finalize_fairy", finalize_fairy, NULL) &&
           python_wrap(base, "_ConnectionFairy.detach", detach, NULL) &&
           python_wrap(base, "_ConnectionRecord._checkin_failed", checkin_failed, NULL) &&
           python_wrap(base, "_ConnectionRecord._ConnectionRecord__connect", connect, NULL) &&
           python_wrap(base, "_ConnectionRecord.checkout", checkout, NULL));
}

void python_sqlalchemy_engine(void)
{
    python_sqlalchemy_pool_engine();
    mark_method(PYTHON_MARK_CONNECTION, "sqlalchemy.engine.base", "Connection.__init__");
    python_traceback_connection_class(python_find("sqlalchemy.engine.base", "Connection"));
    python_traceback_watch();
}

void python_sqlalchemy_sessions(void)
{
    mark_method(PYTHON_MARK_SESSION, "sqlalchemy.orm.session",
                "SessionTransaction._connection_for_bind");
    (void)python_wrap("sqlalchemy.orm.session", "Session.__init__", session_init, NULL);
}

void python_sqlalchemy_async(void)
{
    python_traceback_async_class(python_find("sqlalchemy.ext.asyncio.session", "AsyncSession"));
}
