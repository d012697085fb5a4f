// Python pools by call spec: acquire and release seen in the calls of their methods.
//
// The handle is an object, known by its address. Where it can be weakly referenced, its death
// without a release ends the session as reclaimed.
#include "recorder/runtimes/python/methods.h"

#include <stdio.h>
#include <string.h>

#include "recorder/books/session.h"
#include "recorder/books/sessions.h"
#include "recorder/books/sites.h"
#include "recorder/core/arena.h"
#include "recorder/core/call_specs.h"
#include "recorder/core/recorder.h"
#include "recorder/runtimes/python/await.h"
#include "recorder/runtimes/python/context.h"
#include "recorder/runtimes/python/created.h"
#include "recorder/runtimes/python/guess.h"
#include "recorder/runtimes/python/layout.h"
#include "recorder/runtimes/python/pool.h"
#include "recorder/runtimes/python/sqlite.h"
#include "recorder/runtimes/python/traceback.h"
#include "recorder/runtimes/python/watch.h"
#include "recorder/runtimes/python/wrap.h"
#include "shared/specs.h"

// How far each spec is; guarded by the GIL.
enum progress { UNSEEN = 0, IMPORTING, WRAPPED };
static uint8_t progress[SPECS_CAPACITY];
static bool importing; // any spec may be at IMPORTING

bool python_methods_importing(const char *module)
{
    int count;
    bool any = false;
    const struct spec *specs = recorder_specs(&count);
    size_t length = strlen(module);
    for (int i = 0; i < count; i++) {
        if (!specs[i].python || strncmp(specs[i].function, module, length) != 0 ||
            specs[i].function[length] != ':' || progress[i] == WRAPPED)
            continue;
        progress[i] = IMPORTING;
        any = importing = true;
    }
    return any;
}

void python_methods_imported(void)
{
    int count;
    const struct spec *specs = recorder_specs(&count);
    for (int i = 0; i < count; i++)
        if (specs[i].python && progress[i] == UNSEEN)
            progress[i] = IMPORTING;
    importing = true;
    (void)python_methods_wrap(NULL);
    for (int i = 0; i < count; i++)
        if (progress[i] == IMPORTING)
            progress[i] = UNSEEN;
    importing = false;
}

void python_methods_forget(void)
{
    memset(progress, UNSEEN, sizeof progress);
    importing = false;
}

// What a call says, by the roles of its spec.
struct method_call {
    const struct spec *spec;
    PyObject *handle;            // borrowed; NULL: to be the result
    PyObject *pool;              // borrowed or NULL
    uint32_t acquires;           // that this thread had made before it
    const char *name, *database; // or NULL
    uint64_t started;
    struct python_pool *known;       // `pool`, or NULL
    struct thread_owner own, before; // of what it opens; what held before it ran
    uint32_t own_generation;         // for which `own` holds
    uint32_t wait;                   // see python_pool_wait_begin; 0: none
    bool runs;                       // has begun to run
    bool thrown;                     // came to its end by an exception that was thrown into it
    uint32_t paused_at, generation;  // the stack where it began to wait, for this generation
    bool finalizer;                  // a release by the object itself, when it dies
    bool taken;                      // a release: `session` is out of the table
    struct session session;
};

// Notes in the trace that a method was called; what matters is whether it was at all. Inside
// recorder_enter.
static void count_call(const struct spec *spec)
{
    int count;
    const struct spec *specs = recorder_specs(&count);
    struct trace_function *record =
        recorder_trace.header && spec >= specs && spec < specs + count
            ? trace_record(&recorder_trace, TRACE_FUNCTIONS, (uint32_t)(spec - specs) + 1)
            : NULL;
    if (record && record->calls == 0)
        record->calls = 1;
}

// Reads the arguments; false: the call is not meant (a value differs).
static bool read_arguments(const struct python_invocation *invocation, struct method_call *call)
{
    const struct spec *spec = call->spec;
    for (int i = 0; i < spec->argument_count; i++) {
        const struct spec_argument *argument = &spec->argument[i];
        PyObject *value = python_invocation_argument(invocation, (size_t)i,
                                                     argument->name[0] ? argument->name : NULL);
        if (argument->role == SPEC_EQUALS) {
            long number = value ? py.PyLong_AsLong(value) : 0;
            py.PyErr_Clear();
            if (number != argument->equals)
                return false;
        }
        if (!value || value == py._Py_NoneStruct)
            continue;
        if (argument->role == SPEC_HANDLE)
            call->handle = value;
        else if (argument->role == SPEC_POOL)
            call->pool = value;
        else if (argument->role == SPEC_POOL_NAME)
            call->name = python_text(value);
        else if (argument->role == SPEC_DATABASE)
            call->database = python_text(value);
    }
    return true;
}

static const struct spec *described_by; // the spec that `describe` goes by; guarded by the GIL

// The value of the first of these attributes ("max_size|queue.limit") that is a sensible size.
static uint32_t size_of(PyObject *pool, const char *names)
{
    enum { MOST = 1 << 30 }; // more is no limit
    while (*names) {
        char name[SPEC_SIZE_BYTES];
        size_t length = strcspn(names, "|");
        snprintf(name, sizeof name, "%.*s", (int)length, names);
        names += length + (names[length] == '|');
        PyObject *object = pool;
        py.Py_IncRef(object);
        char *next = name;
        for (char *part; object && (part = strsep(&next, "."));) {
            PyObject *value = python_attribute(object, part);
            py.Py_DecRef(object);
            object = value;
        }
        long size = object ? py.PyLong_AsLong(object) : -1;
        py.PyErr_Clear();
        python_drop(object);
        if (size > 0 && size < MOST)
            return (uint32_t)size;
    }
    return TRACE_UNKNOWN;
}

static void describe(PyObject *pool, struct python_pool_text *text)
{
    static const char usual[] = "max_size|maxconn|_maxconnections|max_connections|_max_connections|"
                                "maxsize|_maxsize";
    PyObject *name = python_attribute(pool->type, "__name__");
    const char *class_name = python_text(name);
    snprintf(text->detail, sizeof text->detail, "%s", class_name ? class_name : "");
    python_drop(name);
    text->size = size_of(pool, described_by->size[0] ? described_by->size : usual);
    name = python_attribute(pool, "name");
    const char *own = python_text(name);
    if (own)
        snprintf(text->name, sizeof text->name, "%s", own);
    python_drop(name);
}

// Whether a call that raised nothing succeeded.
static bool succeeded(const struct spec *spec, PyObject *result)
{
    if (spec->result == SPEC_RESULT_HANDLE)
        return result != py._Py_NoneStruct;
    if (spec->result == SPEC_RESULT_NONZERO)
        return py.PyObject_IsTrue(result) == 1;
    if (spec->result != SPEC_RESULT_STATUS)
        return true;
    long status = py.PyLong_AsLong(result);
    py.PyErr_Clear();
    for (int i = 0; i < spec->status_count; i++)
        if (spec->status[i] == status)
            return true;
    return false;
}

// A psycopg_pool.PoolTimeout, a DBUtils TooManyConnections, ...: by name, for want of a common
// class. asyncio.wait_for and asyncio.timeout cancel who waits for a pool that is empty.
static bool is_timeout(PyObject *exception_type, const struct method_call *call)
{
    PyObject *name = exception_type ? python_attribute(exception_type, "__name__") : NULL;
    const char *text = python_text(name);
    bool timeout = text && (strcasestr(text, "timeout") || strcasestr(text, "TooManyConnections") ||
                            strcasestr(text, "MaxConnections") || strcmp(text, "PoolError") == 0);
    if (text && strcmp(text, "CancelledError") == 0)
        timeout = call->known && python_pool_is_full(call->known);
    python_drop(name);
    return timeout;
}

// The pool of the trace that a call is about; TRACE_NONE if lost. Inside recorder_enter. A call
// that names none is about the pool of its kind: what such a library opens is not the program's
// either.
static uint32_t pool_reference(const struct method_call *call, struct python_pool *pool)
{
    if (pool)
        return python_pool_ref(pool);
    const char *name = call->name ? call->name : call->spec->kind;
    return pool_intern(name_intern(call->spec->kind), 0, name_intern(name));
}

// The database of a handle that another library opened within the call, for which this one stands;
// TRACE_NONE: there is none. Inside recorder_enter.
static uint32_t inner_database(const struct method_call *call)
{
    const struct trace_session *inner =
        recorder_thread.acquires != call->acquires
            ? trace_record(&recorder_trace, TRACE_SESSIONS, recorder_thread.acquired_slot)
            : NULL;
    return inner ? inner->database : TRACE_NONE;
}

// The pool object of a call; NULL: it names none.
static struct python_pool *pool_of(const struct method_call *call)
{
    described_by = call->spec;
    return call->pool ? python_pool_of(call->pool, call->spec->kind, describe) : NULL;
}

// Enters the recorder with a trace. A handle that could not be opened is not worth one.
static bool enter_for(const struct method_call *call, const PyObject *handle)
{
    if (handle || call->pool || call->name)
        return recorder_enter_trace();
    if (!recorder_enter())
        return false;
    if (recorder_trace.header)
        return true;
    recorder_leave();
    return false;
}

// An exception that is thrown into a coroutine comes without the frames of those that wait for it:
// what it ends is told from where the coroutine began to wait. Inside recorder_enter.
static void stack_of(const struct method_call *call, const struct python_moment *moment,
                     struct stack *stack)
{
    const uint64_t *frames;
    uint32_t count = 0;
    if (call->thrown && call->generation == recorder_generation)
        count = trace_stack_frames(&recorder_trace, call->paused_at, &frames, NULL);
    if (count == 0 || count > STACK_FRAMES) {
        python_moment_stack(moment, NULL, stack);
        return;
    }
    *stack = (struct stack){.count = count};
    memcpy(stack->frames, frames, count * sizeof *frames);
}

// Records an acquire; handle NULL: it failed. Outside recorder_enter.
static void note_acquire(const struct method_call *call, PyObject *handle, bool timed_out)
{
    struct python_moment moment;
    uint32_t owner = TRACE_NONE;
    const bool opened = call->spec->session == TRACE_HANDLE;
    const uint64_t now = recorder_now();
    python_moment_take(&moment);
    if (enter_for(call, handle)) {
        struct stack stack;
        stack_of(call, &moment, &stack);
        if (!opened || call->spec->kept)
            owner = pool_reference(call, call->known);
        else
            owner = recorder_thread.owner.pool;
        count_call(call->spec);
        struct acquire acquire = {
            .handle = (uint64_t)(uintptr_t)handle,
            .kind = name_intern(call->spec->kind),
            .session = call->spec->session,
            .pool = opened ? TRACE_NONE : owner,
            .owner = opened ? owner : TRACE_NONE,
            .wrapper = opened && recorder_thread.owner.inside,
            .database = call->database ? name_intern(call->database)
                        : opened       ? inner_database(call)
                                       : TRACE_NONE,
            .task = python_moment_task(&moment),
            .started_ns = call->started,
            .since_ns = call->started,
            .stack = &stack,
        };
        if (handle)
            python_created_hold(handle, session_acquired(&acquire, now));
        else
            session_acquire_failed(&acquire, timed_out, now);
        recorder_leave();
    }
    python_moment_drop(&moment);
    if (handle) {
        python_watch_add(handle, call->pool, call->spec);
        python_sqlite_own(handle, owner, false);
    }
}

// After an acquire: `result` or, if NULL, an exception, which is kept.
static void acquire_done(PyObject *result, struct method_call *call)
{
    PyObject *type = NULL, *value = NULL, *traceback = NULL;
    py.PyErr_Fetch(&type, &value, &traceback);
    PyObject *handle = call->spec->result == SPEC_RESULT_HANDLE ? result : call->handle;
    const bool is_handle = call->spec->session == TRACE_HANDLE;
    if (result && handle && succeeded(call->spec, result))
        note_acquire(call, handle, false);
    else if (call->pool || call->name || !result || (is_handle && !call->spec->kept))
        note_acquire(call, NULL, is_timeout(type, call));
    py.PyErr_Restore(type, value, traceback);
}

// After an attach: a session that is given back and not known was acquired before. Wrappers of one
// connection may be closed one within the other, or again when they are collected.
static void inherit(const struct method_call *call, uint32_t kind, struct python_pool *pool)
{
    const struct inherited found = {
        .handle = (uint64_t)(uintptr_t)call->handle,
        .kind = kind,
        .session = call->spec->session,
        .held_by_caller = true,
        .pool = pool ? python_pool_ref(pool) : TRACE_NONE,
    };
    uint32_t site, database;
    if (call->spec->session == TRACE_CHECKOUT &&
        !session_recently_ended(kind, found.handle, &site, &database))
        (void)session_inherit(&found);
}

// Whether the method is called by its own object's __del__: DBUtils' connections close themselves
// there, which is not the program's doing.
static bool called_by_finalizer(PyObject *handle)
{
    struct python_walk walk;
    char name[16];
    python_walk_collect(&walk);
    const struct python_walk_frame *frame = &walk.frames[0];
    return walk.count > 0 && frame->locals && python_frame_local(frame->locals, 0) == handle &&
           python_int_at(frame->code, python_layout->code_locals) > 0 &&
           python_text_copy(python_at(frame->code, python_layout->code_name), name, sizeof name) &&
           strcmp(name, "__del__") == 0;
}

// How a release that succeeded ends the session.
static enum trace_end end_of(const struct method_call *call)
{
    if (call->finalizer)
        return python_watch_end(&call->session, call->spec);
    return call->spec->verb == TRACE_DISCARD ? TRACE_DISCARDED : TRACE_RELEASED;
}

// Before a release: takes the session out of the table.
static void release_begin(struct method_call *call)
{
    call->finalizer = called_by_finalizer(call->handle);
    bool attached = recorder_attached;
    struct python_pool *pool = attached ? pool_of(call) : NULL;
    if (!recorder_enter())
        return;
    count_call(call->spec);
    uint32_t kind = recorder_trace.header ? name_intern(call->spec->kind) : TRACE_NONE;
    uint64_t handle = (uint64_t)(uintptr_t)call->handle;
    if (attached && kind != TRACE_NONE && !session_is_known(kind, handle))
        inherit(call, kind, pool);
    call->taken = kind != TRACE_NONE && session_take(kind, handle, &call->session);
    recorder_leave();
}

static void release_done(PyObject *result, struct method_call *call)
{
    PyObject *type, *value, *traceback;
    if (!call->taken)
        return;
    py.PyErr_Fetch(&type, &value, &traceback);
    bool done = result && succeeded(call->spec, result);
    enum trace_end end = end_of(call);
    if (recorder_enter()) {
        if (done)
            session_end(&call->session, end, call->session.taken_ns);
        else
            session_put_back(&call->session, 0);
        recorder_leave();
    }
    call->taken = false;
    if (done)
        python_watch_remove(call->handle);
    py.PyErr_Restore(type, value, traceback);
}

static bool is_release(const struct spec *spec)
{
    return spec->verb == TRACE_RELEASE || spec->verb == TRACE_DISCARD;
}

static void wait_begin(struct method_call *call)
{
    if (call->spec->verb == TRACE_ACQUIRE && call->known)
        call->wait = python_pool_wait_begin(call->known);
}

static void wait_end(struct method_call *call)
{
    if (call->wait != 0)
        python_pool_wait_end(call->known, call->wait);
    call->wait = 0;
}

static void call_done(PyObject *result, void *data)
{
    struct method_call *call = data;
    wait_end(call);
    if (call->spec->verb == TRACE_ACQUIRE)
        acquire_done(result, call);
    else if (call->spec->verb != TRACE_FILL)
        release_done(result, call);
}

static void drop_call(void *data)
{
    struct method_call *call = data;
    wait_end(call);
    // A release that was never awaited to its end has not happened.
    release_done(NULL, call);
    python_drop(call->handle);
    python_drop(call->pool);
    arena_free(call, sizeof *call);
}

// The coroutine of a call is about to run, on whichever thread and in whichever task: what that
// opens meanwhile is the call's, and what others open while it waits is not.
static void enter_coroutine(bool thrown, void *data)
{
    struct method_call *call = data;
    call->thrown = thrown;
    if (!call->runs) {
        call->runs = true;
        call->started = recorder_now_coarse();
        wait_begin(call);
    }
    struct thread_owner own = call->own;
    if (call->own_generation != recorder_generation) // a forked child has pools of its own
        own.pool = TRACE_NONE;
    call->before = session_thread_owner(own);
    call->own_generation = recorder_generation;
    call->own = own;
}

static void leave_coroutine(void *data)
{
    const struct method_call *call = data;
    if (call->own_generation == recorder_generation)
        (void)session_thread_owner(call->before);
}

static void note_paused(void *data)
{
    struct method_call *call = data;
    struct python_moment moment;
    if (call->spec->verb != TRACE_ACQUIRE)
        return;
    python_moment_take(&moment);
    if (recorder_enter()) {
        if (recorder_trace.header) {
            call->paused_at = python_moment_intern(&moment, call->started);
            call->generation = recorder_generation;
        }
        recorder_leave();
    }
    python_moment_drop(&moment);
}

// A release opens nothing of its own.
static void pass_enter(bool thrown, void *data)
{
    (void)thrown;
    (void)data;
}

static void pass(void *data)
{
    (void)data;
}

// The call goes on when the program awaits the coroutine.
static PyObject *await_later(PyObject *coroutine, const struct method_call *call)
{
    struct method_call *kept = arena_alloc(sizeof *kept);
    if (!kept)
        return coroutine;
    *kept = *call;
    kept->name = kept->database = NULL; // their texts may not live that long
    if (kept->handle)
        py.Py_IncRef(kept->handle);
    if (kept->pool)
        py.Py_IncRef(kept->pool);
    const bool opens = !is_release(call->spec);
    const struct python_await watch = {.enter = opens ? enter_coroutine : pass_enter,
                                       .leave = opens ? leave_coroutine : pass,
                                       .paused = opens ? note_paused : pass,
                                       .done = call_done,
                                       .drop = drop_call,
                                       .data = kept};
    return python_await_wrap(coroutine, &watch);
}

// Calls the method with what this thread opens belonging to the call's pool, or being the inside of
// the handle that it opens.
static PyObject *invoke_for_pool(const struct python_invocation *invocation,
                                 struct method_call *call)
{
    const bool opens = call->spec->session == TRACE_HANDLE;
    call->known = pool_of(call);
    if (!recorder_enter_trace())
        return python_invoke(invocation);
    call->own.inside = opens;
    call->own_generation = recorder_generation;
    call->own.pool =
        opens && !call->spec->kept ? recorder_thread.owner.pool : pool_reference(call, call->known);
    call->before = session_thread_owner(call->own);
    call->acquires = recorder_thread.acquires;
    count_call(call->spec);
    recorder_leave();
    wait_begin(call);
    call->started = recorder_now_coarse(); // after what we did, which is not the program's
    PyObject *result = python_invoke(invocation);
    (void)session_thread_owner(call->before);
    wait_end(call);
    return result;
}

static PyObject *follow(const struct python_invocation *invocation, struct method_call *call)
{
    const bool release = is_release(call->spec);
    // The object may die within the call, and is asked for afterwards.
    PyObject *handle = call->handle;
    if (handle)
        py.Py_IncRef(handle);
    if (release)
        release_begin(call);
    PyObject *result = release ? python_invoke(invocation) : invoke_for_pool(invocation, call);
    if (result && python_await_is_coroutine(result))
        result = await_later(result, call);
    else
        call_done(result, call);
    if (handle) {
        PyObject *type, *value, *traceback;
        py.PyErr_Fetch(&type, &value, &traceback);
        py.Py_DecRef(handle);
        py.PyErr_Restore(type, value, traceback);
    }
    return result;
}

PyObject *python_method_called(const struct python_invocation *invocation)
{
    struct method_call call = {.spec = invocation->data};
    enum trace_verb verb = call.spec->verb;
    bool meant = verb == TRACE_ACQUIRE || verb == TRACE_FILL;
    if (!atomic_load_explicit(&recorder_active, memory_order_relaxed) ||
        !read_arguments(invocation, &call))
        return python_invoke(invocation);
    if ((verb == TRACE_RELEASE || verb == TRACE_DISCARD) && call.handle)
        meant = true;
    if (!meant)
        return python_invoke(invocation);
    call.started = recorder_now_coarse();
    return follow(invocation, &call);
}

void python_method_acquired(const struct spec *spec, PyObject *handle, uint64_t started,
                            const char *database)
{
    const struct method_call call = {.spec = spec, .started = started, .database = database};
    PyObject *type, *value, *traceback;
    py.PyErr_Fetch(&type, &value, &traceback);
    note_acquire(&call, handle, false);
    py.PyErr_Restore(type, value, traceback);
}

// Wraps what a spec names in its module, which is complete.
static void wrap_spec(const char *module, const char *path, const struct spec *spec)
{
    if (strcmp(path, SPEC_GUESS) == 0)
        python_guess(module, spec, python_method_called);
    else
        (void)python_wrap(module, path, python_method_called, spec);
    python_traceback_watch(); // what its handles are left by
}

bool python_methods_wrap(const char *executed)
{
    int count;
    bool complete = true;
    if (!importing)
        return true;
    const struct spec *specs = recorder_specs(&count);
    for (int i = 0; i < count; i++) {
        if (progress[i] != IMPORTING)
            continue;
        char module[SPEC_NAME_BYTES];
        const char *colon = strchr(specs[i].function, ':');
        snprintf(module, sizeof module, "%.*s", (int)(colon - specs[i].function),
                 specs[i].function);
        if (python_module_ready(module, executed)) {
            wrap_spec(module, colon + 1, &specs[i]);
            progress[i] = WRAPPED;
        } else {
            complete = false;
        }
    }
    importing = !complete;
    return complete;
}
