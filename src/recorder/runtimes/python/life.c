// Finding CPython and following it: imports, sqlite3.connect, shutdown. See python.h.
//
// An audit hook (PEP 578) reports imports before they happen. A module is looked at as soon as its
// code has run, which the function of importlib that runs it tells; where a loader of the program's
// own runs it, when a later event finds it complete. The hook cannot be removed: once that has
// stopped it does nothing.
#include "recorder/runtimes/python/python.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "recorder/books/session.h"
#include "recorder/core/journal.h"
#include "recorder/core/lock_order.h"
#include "recorder/core/log.h"
#include "recorder/core/recorder.h"
#include "recorder/runtimes/python/api.h"
#include "recorder/runtimes/python/audit.h"
#include "recorder/runtimes/python/await.h"
#include "recorder/runtimes/python/context.h"
#include "recorder/runtimes/python/convention.h"
#include "recorder/runtimes/python/drivers.h"
#include "recorder/runtimes/python/frames.h"
#include "recorder/runtimes/python/holders.h"
#include "recorder/runtimes/python/inherit.h"
#include "recorder/runtimes/python/layout.h"
#include "recorder/runtimes/python/methods.h"
#include "recorder/runtimes/python/pool.h"
#include "recorder/runtimes/python/shared.h"
#include "recorder/runtimes/python/shutdown.h"
#include "recorder/runtimes/python/sqlalchemy.h"
#include "recorder/runtimes/python/sqlite.h"
#include "recorder/runtimes/python/traceback.h"
#include "recorder/runtimes/python/watch.h"
#include "recorder/runtimes/python/wrap.h"
#include "shared/trace_words.h"

static atomic_bool python_found; // an interpreter, or one that must be left alone

static atomic_bool listening;
static bool pending;          // a module that is wanted is being imported; guarded by the GIL
static unsigned patience;     // events until it is taken for one that cannot be imported
static __thread bool looking; // what is done about an event raises events itself

static void look_again(void);
static void register_at_exit(void);

static atomic_uint flags;

static uint32_t python_flags(void)
{
    return atomic_load(&flags);
}

static void add_flags(uint32_t more)
{
    if ((atomic_fetch_or(&flags, more) & more) == more || !recorder_enter())
        return;
    if (recorder_trace.header)
        __atomic_fetch_or(&recorder_trace.header->flags, more, __ATOMIC_RELAXED);
    recorder_leave();
}

static void say_python(const char *what)
{
    struct log log;
    if (!log_begin(&log, "Python "))
        return;
    log_number(&log, (uint64_t)py.major);
    log_text(&log, ".");
    log_number(&log, (uint64_t)py.minor);
    log_text(&log, " ");
    log_text(&log, what);
    log_end(&log);
}

// Looks at the layout of objects, if that was not done yet.
static void check_layout(void)
{
    if (python_layout)
        return;
    python_layout_check();
    if (!python_layout)
        return;
    if (atomic_load(&python_layout_trusted)) {
        say_python("has the layout of frames that its version says");
        return;
    }
    enum trace_python reason = python_layout->minor < 0 ? TRACE_PYTHON_NEW : TRACE_PYTHON_UNLIKE;
    add_flags((uint32_t)reason << TRACE_FLAG_PYTHON_SHIFT);
    say_python(trace_words_python(reason));
}

// Modules that are looked at as soon as their code has run.
static struct {
    const char *name;
    void (*look)(void);
    bool pending; // is being imported; guarded by the GIL
} modules[] = {
    {"sqlalchemy.pool.base", python_sqlalchemy_pools, false},
    {"sqlalchemy.engine.base", python_sqlalchemy_engine, false},
    {"sqlalchemy.orm.session", python_sqlalchemy_sessions, false},
    {"sqlalchemy.ext.asyncio.session", python_sqlalchemy_async, false},
    {"asyncio.runners", python_context_asyncio, false},
};
enum { MODULES = sizeof modules / sizeof *modules };

enum { PATIENCE = 1000 };

static void before_import(const char *name)
{
    bool wanted = python_methods_importing(name);
    for (size_t i = 0; i < MODULES; i++)
        if (strcmp(modules[i].name, name) == 0)
            wanted = modules[i].pending = true;
    if (!wanted)
        return;
    pending = true;
    patience = PATIENCE;
}

// What has been imported before anybody listened.
static void all_pending(void)
{
    for (size_t i = 0; i < MODULES; i++)
        modules[i].pending =
            py.PyDict_GetItemString(py.PyImport_GetModuleDict(), modules[i].name) != NULL;
    patience = PATIENCE;
    python_methods_imported();
}

// The extension module that is being imported. If it is a driver its types may not have been made
// yet: settling. What a driver imports meanwhile does not change that. Guarded by the GIL.
static char extension[256];
static bool settling;

static void before_extension(const char *name)
{
    if (!settling && !python_drivers_new())
        snprintf(extension, sizeof extension, "%s", name);
    look_again();
}

// An extension module that calls traced functions has been loaded, or used for the first time.
static void meet_driver(void)
{
    PyObject *type, *value, *traceback;
    py.PyErr_Fetch(&type, &value, &traceback);
    register_at_exit();
    check_layout();
    python_traceback_watch();
    python_drivers_look();
    py.PyErr_Restore(type, value, traceback);
}

// Looks at what has been imported; keeps the exception that may be set. executed: a module of which
// the code has just run, or NULL.
static void look_at_modules(const char *executed)
{
    PyObject *type, *value, *traceback;
    py.PyErr_Fetch(&type, &value, &traceback);
    check_layout();
    bool left = !python_methods_wrap(executed);
    for (size_t i = 0; i < MODULES; i++) {
        if (!modules[i].pending)
            continue;
        if (python_module_ready(modules[i].name, executed)) {
            modules[i].pending = false;
            modules[i].look();
        }
        left |= modules[i].pending;
    }
    pending = left && patience > 0;
    patience -= pending;
    py.PyErr_Restore(type, value, traceback);
}

static bool may_look(void)
{
    return !looking && atomic_load_explicit(&listening, memory_order_relaxed) &&
           python_holds_gil() && python_main_interpreter() && !python_is_shutdown() &&
           !python_keeps_nothing();
}

// importlib._bootstrap._call_with_frames_removed(exec, code, module.__dict__): how importlib's
// loaders run a module's code; also (create_dynamic, spec), of which the result is the module.
static PyObject *module_executed(const struct python_invocation *call)
{
    PyObject *result = python_invoke(call);
    PyObject *namespace = python_invocation_argument(call, 2, NULL);
    if (!result || !may_look())
        return result;
    looking = true;
    const char *name =
        namespace ? python_text(py.PyDict_GetItemString(namespace, "__name__")) : NULL;
    if (name) {
        before_import(name); // importlib.import_module raises no event
        look_at_modules(name);
    }
    python_convention_look(name ? py.PyDict_GetItemString(py.PyImport_GetModuleDict(), name)
                                : result);
    looking = false;
    return result;
}

// Before finalization begins. Of functions that run at exit, those registered last come first: ours
// is among the last, and what comes behind it is still seen, but nothing is kept of it.
static PyObject *at_exit(PyObject *self, PyObject *unused)
{
    (void)self;
    (void)unused;
    python_keep_nothing();
    python_wrap_give_back();
    python_traceback_drop();
    python_sqlalchemy_drop();
    python_sqlite_drop();
    python_drivers_drop();
    python_shared_drop();
    python_inherit_drop();
    python_context_drop();
    python_frames_drop();
    py.Py_IncRef(py._Py_NoneStruct);
    return py._Py_NoneStruct;
}

static bool registered; // in the interpreter that there is

static PyObject *import_atexit(void)
{
    PyObject *import = python_find("builtins", "__import__");
    PyObject *arguments = py.PyTuple_New(1);
    PyObject *module = NULL;
    if (import && arguments &&
        py.PyTuple_SetItem(arguments, 0, py.PyUnicode_InternFromString("atexit")) == 0)
        module = py.PyObject_CallObject(import, arguments);
    python_drop(arguments);
    python_drop(import);
    return module;
}

// atexit.register or atexit.unregister: functions made of the same C function are equal.
static void call_atexit(const char *what)
{
    static struct python_method method = {"at_exit", at_exit, PYTHON_METHOD_NOARGS, NULL};
    PyObject *type, *value, *traceback;
    py.PyErr_Fetch(&type, &value, &traceback);
    PyObject *module = import_atexit();
    PyObject *call = module ? python_attribute(module, what) : NULL;
    PyObject *arguments = py.PyTuple_New(1);
    PyObject *function = py.PyCFunction_NewEx(&method, NULL, NULL);
    if (call && arguments && function && py.PyTuple_SetItem(arguments, 0, function) == 0)
        python_drop(py.PyObject_CallObject(call, arguments));
    python_drop(arguments);
    python_drop(call);
    python_drop(module);
    py.PyErr_Clear();
    py.PyErr_Restore(type, value, traceback);
}

// To be called before anything is kept. GIL held.
static void register_at_exit(void)
{
    if (!registered)
        call_atexit("register");
    registered = true;
}

static bool followed;

static void follow_importlib(void)
{
    if (!followed)
        (void)python_wrap("_frozen_importlib", "_call_with_frames_removed", module_executed, NULL);
    followed = true;
}

// importlib._bootstrap._verbose_message(text, name, ...), called when an extension module has been
// loaded, when its code has run, and when its import ends.
static PyObject *import_told(const struct python_invocation *call)
{
    PyObject *text = python_invocation_argument(call, 0, NULL);
    PyObject *name = python_invocation_argument(call, 1, NULL);
    const char *told = settling ? python_text(text) : NULL, *of = python_text(name);
    if (told && of && strcmp(of, extension) == 0 && may_look()) {
        looking = true;
        meet_driver();
        settling = strncmp(told, "import ", 7) != 0;
        looking = false;
    }
    return python_invoke(call);
}

static void begin_settling(void)
{
    meet_driver();
    follow_importlib();
    (void)python_wrap("_frozen_importlib", "_verbose_message", import_told, NULL);
    settling = true;
}

static bool prepared; // sqlite3 has been looked at

static void prepare_sqlite(void)
{
    PyObject *type, *value, *traceback;
    py.PyErr_Fetch(&type, &value, &traceback);
    if (python_holds_gil())
        check_layout();
    if (python_main_interpreter())
        register_at_exit();
    python_sqlite_prepare();
    if (python_main_interpreter())
        python_traceback_watch();
    py.PyErr_Restore(type, value, traceback);
}

// sqlite3.connect(...): the handle will be opened with the GIL released.
static void before_connect(void)
{
    python_context_test();
    python_context_thread();
    if (!prepared)
        prepare_sqlite();
    prepared = true;
    // Where code objects have no qualified names, these are found with the GIL only: warm the
    // cache.
    if (python_layout_trusted && python_layout->code_qualname < 0 && recorder_enter_trace()) {
        struct stack stack = {.count = 0};
        python_frames_append(&stack);
        recorder_leave();
    }
}

// A module may be complete without any further event: the main thread looks once more when it would
// look for signals.
static bool asked_to_look;

static int look_when_safe(void *unused)
{
    (void)unused;
    asked_to_look = false;
    if (!may_look())
        return 0;
    looking = true;
    if (python_drivers_new())
        begin_settling();
    if (pending)
        look_at_modules(NULL);
    looking = false;
    return 0;
}

static int look_when_used(void *unused)
{
    (void)unused;
    if (!may_look())
        return 0;
    looking = true;
    meet_driver();
    looking = false;
    return 0;
}

static void look_again(void)
{
    if (!asked_to_look && py.Py_AddPendingCall(look_when_safe, NULL) == 0)
        asked_to_look = true;
}

enum event { EVENT_OTHER, EVENT_IMPORT, EVENT_CONNECT, EVENT_END };

static enum event event_of(const char *name)
{
    if (name[0] == 'i' && strcmp(name, "import") == 0)
        return EVENT_IMPORT;
    if (name[0] == 's' && strcmp(name, "sqlite3.connect") == 0)
        return EVENT_CONNECT;
    if (name[0] == 'c' && strcmp(name, "cpython._PySys_ClearAuditHooks") == 0)
        return EVENT_END;
    return EVENT_OTHER;
}

static bool arrived; // in an interpreter that runs: what it has imported was not seen yet

static void on_event(enum event event, PyObject *args)
{
    if (arrived) {
        arrived = false;
        all_pending();
    }
    if (event == EVENT_IMPORT) {
        const char *module = python_text(py.PyTuple_GetItem(args, 0));
        if (module)
            before_import(module);
        if (!followed && py.PyEval_GetFrame()) { // a driver nobody has described may be any module
            register_at_exit();
            follow_importlib();
        }
        if (module && py.PyTuple_GetItem(args, 1) != py._Py_NoneStruct)
            before_extension(module); // it has a file
    } else if (event == EVENT_CONNECT) {
        before_connect();
    }
    if (python_drivers_new())
        begin_settling();
    if (pending) {
        register_at_exit();
        follow_importlib();
        look_at_modules(NULL);
    }
    if (pending)
        look_again();
}

static bool hooked;

static void stop(void)
{
    atomic_store(&listening, false);
    runtime_part(&python_runtime);
}

// The interpreter is gone. The program may start another one: it is found when that loads its first
// extension module.
static void forget(void)
{
    stop();
    python_context_forget();
    python_frames_forget();
    python_methods_forget();
    python_shared_forget();
    python_sqlite_forget();
    python_drivers_forget();
    python_watch_forget();
    python_pool_forget();
    python_inherit_forget();
    python_sqlalchemy_forget();
    python_await_forget();
    python_wrap_forget();
    hooked = followed = pending = prepared = asked_to_look = registered = settling = false;
    atomic_store(&python_found, false);
}

// In interpreters other than the main one only what all share is looked at.
static bool may_prepare(enum event event)
{
    return event == EVENT_CONNECT && !looking &&
           atomic_load_explicit(&listening, memory_order_relaxed) && !python_finalizing() &&
           !python_main_interpreter();
}

static int on_audit(const char *name, PyObject *args, void *data)
{
    enum event event = event_of(name);
    (void)data;
    if (event == EVENT_OTHER && !pending && !python_drivers_new())
        return 0;
    if (event == EVENT_END) {
        (void)python_is_shutdown();
        python_audit_end(on_audit);
        forget();
        return 0;
    }
    if (may_look()) {
        looking = true;
        on_event(event, args);
        looking = false;
    } else if (may_prepare(event)) {
        looking = true;
        add_flags(TRACE_FLAG_PYTHON_BESIDES);
        prepare_sqlite();
        looking = false;
    }
    return 0;
}

static void listen(void)
{
    if (!hooked && python_audit_add(on_audit))
        hooked = true;
    if (hooked)
        atomic_store(&listening, true);
}

static bool call_collector(const char *name)
{
    PyObject *function = python_find("gc", name);
    PyObject *result = function ? py.PyObject_CallObject(function, NULL) : NULL;
    bool answer = result && py.PyObject_IsTrue(result) == 1;
    py.PyErr_Clear();
    python_drop(result);
    python_drop(function);
    return answer;
}

static void join(void)
{
    python_shutdown_forget();
    register_at_exit();
    listen();
    python_holders_prepare();
    python_sqlite_prepare();
    meet_driver();
    follow_importlib();
    all_pending();
    look_at_modules(NULL);
    python_inherit_checkouts();
}

// Everything in the interpreter is as it was, but for the audit hook, which does nothing now.
static void leave(void)
{
    if (registered)
        call_atexit("unregister");
    registered = false;
    python_wrap_undo();
    python_traceback_undo();
    python_sqlite_undo();
    python_drivers_undo();
    python_methods_forget();
    python_watch_drop();
    python_shared_drop();
    python_inherit_drop();
    python_pool_drop();
    python_context_drop();
    python_frames_drop();
    followed = pending = prepared = false;
}

static atomic_bool wanted; // in the interpreter: a thread that is late does what is wanted now
static atomic_uint done;   // times that it was done

// In an interpreter that runs already. What its collector would free on this thread may have to be
// freed on another one (SQLite connections), so it rests meanwhile.
static void *meet_running(void *unused)
{
    (void)unused;
    if (python_finalizing())
        return NULL;
    lock_order_take(LOCK_GIL, LOCK_HERE);
    int state = py.PyGILState_Ensure();
    bool collects = call_collector("isenabled");
    (void)call_collector("disable");
    if (atomic_load(&wanted))
        join();
    else
        leave();
    if (collects)
        (void)call_collector("enable");
    atomic_fetch_add(&done, 1);
    py.PyGILState_Release(state);
    lock_order_give(LOCK_GIL);
    return NULL;
}

// On a thread of its own, because the GIL may be held for any length of time.
static bool meet_running_soon(void)
{
    sigset_t all, before;
    pthread_t thread;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    bool started = pthread_create(&thread, NULL, meet_running, NULL) == 0;
    if (started)
        pthread_detach(thread);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return started;
}

static void python_start(void)
{
    static bool resolved;
    if (!resolved) {
        enum trace_python reason;
        int error = python_api_resolve(&reason);
        if (error == -ENOENT)
            return;
        atomic_store(&python_found, true);
        atomic_store(&flags, TRACE_FLAG_PYTHON | (uint32_t)reason << TRACE_FLAG_PYTHON_SHIFT |
                                 (uint32_t)py.minor << TRACE_FLAG_PYTHON_MINOR_SHIFT |
                                 (uint32_t)py.major << TRACE_FLAG_PYTHON_MAJOR_SHIFT);
        say_python(error ? trace_words_python(reason) : "is recognized");
        if (error) {
            journal_add(JOURNAL_RUNTIME, reason, py.Py_GetVersion ? py.Py_GetVersion() : "");
            return;
        }
        resolved = true;
    }
    if (python_finalizing())
        return;
    atomic_store(&python_found, true);
    runtime_join(&python_runtime);
    if (!py.Py_IsInitialized()) {
        listen();
    } else if (python_holds_gil()) { // another interpreter after one that ended
        python_shutdown_forget();
        pending = arrived = true;
        listen();
    } else {
        atomic_store(&wanted, true);
        (void)meet_running_soon();
    }
}

static void python_leave(void)
{
    enum { PATIENT_MS = 1000 };
    const struct timespec pause = {.tv_nsec = 1000000};
    bool came = atomic_exchange(&wanted, false); // perhaps without having got the GIL so far
    if (!came && !atomic_load(&listening))
        return;
    stop();
    atomic_store(&python_found, false); // to be found again when attaching again
    unsigned before = atomic_load(&done);
    if (!py.Py_IsInitialized() || python_finalizing() || !meet_running_soon())
        return;
    for (int i = 0; i < PATIENT_MS && atomic_load(&done) == before; i++)
        (void)nanosleep(&pause, NULL);
}

// A handle is being opened: by then the types of the module that opens it have been made.
static void python_frames(struct stack *stack, const struct stack_origin *origin)
{
    (void)origin;
    python_frames_append(stack);
    if (atomic_load_explicit(&listening, memory_order_relaxed) &&
        py.PyGILState_GetThisThreadState() && python_drivers_used())
        (void)py.Py_AddPendingCall(look_when_used, NULL);
}

// CPython's sqlite3 first: it is a driver as well, and better known.
static enum runtime_closer python_closer(const struct runtime_call *call)
{
    enum runtime_closer closer = python_sqlite_closer(call);
    return closer != RUNTIME_NOT_MINE ? closer : python_drivers_closer(call);
}

static bool python_is_found(void)
{
    return !recorder_options.python || atomic_load(&python_found);
}

const struct runtime python_runtime = {
    .name = "python",
    .start = python_start,
    .found = python_is_found,
    .frames = python_frames,
    .closer = python_closer,
    .flags = python_flags,
    .leave = python_leave,
};
