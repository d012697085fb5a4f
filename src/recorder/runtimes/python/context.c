// Looking around at an acquire: see context.h.
#include "recorder/runtimes/python/context.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "recorder/core/intern.h"
#include "recorder/core/labels.h"
#include "recorder/core/recorder.h"
#include "recorder/runtimes/python/layout.h"
#include "recorder/runtimes/python/shutdown.h"
#include "recorder/runtimes/python/tasks.h"
#include "recorder/stacks/capture.h"

enum { TEST_BYTES = 512 };
static const char test_variable[] = "PYTEST_CURRENT_TEST=";

// Where the variable was when last looked for; guarded by the GIL.
static struct {
    char **environment;
    size_t count; // entries then
    size_t index; // of the variable; `count`: it was not set
    char text[TEST_BYTES];
} seen;

static bool test_unchanged(void)
{
    if (environ != seen.environment || !environ)
        return environ == seen.environment;
    if (seen.count > 0 && !environ[seen.count - 1])
        return false;
    if (environ[seen.count] != NULL)
        return false;
    if (seen.index == seen.count)
        return true;
    const char *entry = environ[seen.index];
    return strncmp(entry, test_variable, sizeof test_variable - 1) == 0 &&
           strncmp(entry + sizeof test_variable - 1, seen.text, TEST_BYTES - 1) == 0;
}

// "test_x.py::test_y (call)": the phase is not part of the test's name.
static void say_test(const char *text)
{
    char name[TEST_BYTES];
    snprintf(name, sizeof name, "%s", text);
    char *phase = strrchr(name, ' ');
    if (phase && phase[1] == '(')
        *phase = '\0';
    recorder_set_test(name);
}

void python_context_test(void)
{
    if (test_unchanged())
        return;
    seen.environment = environ;
    seen.count = 0;
    seen.index = SIZE_MAX;
    for (; environ[seen.count]; seen.count++)
        if (strncmp(environ[seen.count], test_variable, sizeof test_variable - 1) == 0)
            seen.index = seen.count;
    const char *text = "";
    if (seen.index == SIZE_MAX)
        seen.index = seen.count;
    else
        text = environ[seen.index] + sizeof test_variable - 1;
    if (strncmp(text, seen.text, TEST_BYTES - 1) == 0)
        return;
    snprintf(seen.text, sizeof seen.text, "%s", text);
    say_test(text);
}

static __thread uint32_t named_generation;

// The name of the calling thread, by threading's own list: current_thread() would make an entry for
// a thread that it does not know. A new reference or NULL.
static PyObject *thread_name(void)
{
    PyObject *active = python_find("threading", "_active");
    PyObject *identity = py.PyLong_FromUnsignedLong(py.PyThread_get_thread_ident());
    PyObject *thread = active && identity ? py.PyDict_GetItem(active, identity) : NULL;
    PyObject *name = thread ? python_attribute(thread, "name") : NULL;
    python_drop(identity);
    python_drop(active);
    return name;
}

void python_context_thread(void)
{
    if (named_generation == recorder_generation)
        return;
    PyObject *type, *value, *traceback;
    py.PyErr_Fetch(&type, &value, &traceback);
    PyObject *name = thread_name();
    const char *text = python_text(name);
    if (text && recorder_enter()) {
        uint32_t reference = recorder_open_trace() ? name_intern(text) : TRACE_NONE;
        if (reference != TRACE_NONE) {
            recorder_thread.name = reference;
            recorder_thread.name_uses = (UINT32_C(1) << 31) + 1; // never read again
        }
        named_generation = recorder_generation;
        recorder_leave();
    }
    python_drop(name);
    py.PyErr_Restore(type, value, traceback);
}

static PyObject *current_task; // asyncio.current_task

void python_context_asyncio(void)
{
    static const struct {
        enum python_mark mark;
        const char *module, *path;
    } runs[] = {
        {PYTHON_MARK_TASK, "asyncio.events", "Handle._run.__code__"},
        {PYTHON_MARK_TASK_2, "asyncio.runners", "run.__code__"},
        {PYTHON_MARK_TASK_3, "asyncio.runners", "Runner.run.__code__"},
    };
    if (current_task || python_keeps_nothing() ||
        !(current_task = python_find("asyncio.tasks", "current_task")))
        return;
    for (size_t i = 0; i < sizeof runs / sizeof *runs; i++) {
        PyObject *code = python_find(runs[i].module, runs[i].path);
        if (code)
            python_frames_mark(runs[i].mark, code);
        python_drop(code);
    }
}

// Whether frames that end in this code object end in a greenlet of SQLAlchemy's: the last answer.
static struct {
    PyObject *outermost;
    bool answer;
} last;

void python_context_drop(void)
{
    PyObject *function = current_task;
    python_context_forget();
    python_drop(function);
}

void python_context_forget(void)
{
    current_task = NULL;
    last.outermost = NULL;
}

// The name of the task that runs; who waits for it is added to the walk.
static PyObject *look_at_task(struct python_walk *walk)
{
    enum { WAIT_FOR_HAS_TASKS = 11 }; // the last version
    PyObject *task = py.PyObject_CallObject(current_task, NULL);
    PyObject *get = task && task != py._Py_NoneStruct ? python_attribute(task, "get_name") : NULL;
    PyObject *name = get ? py.PyObject_CallObject(get, NULL) : NULL;
    py.PyErr_Clear();
    if (get && py.minor <= WAIT_FOR_HAS_TASKS)
        python_task_walk_waiting(walk, task);
    python_drop(get);
    python_drop(task);
    return name;
}

// Whether the thread's frames may end in a greenlet of SQLAlchemy's: the outermost frame is then
// the synchronous part of the library, called by the greenlet.
static bool ends_in_sqlalchemy(const struct python_walk *walk)
{
    PyObject *outermost = python_walk_outermost(walk);
    if (!outermost || outermost == last.outermost)
        return outermost && last.answer;
    PyObject *file = python_attribute(outermost, "co_filename");
    const char *text = python_text(file);
    last.answer = text && strstr(text, "sqlalchemy");
    last.outermost = outermost;
    python_drop(file);
    return last.answer;
}

// greenlet.getcurrent().parent.gr_frame: where the coroutine waits.
static void add_waiting_frames(struct python_walk *walk)
{
    PyObject *get = python_find("greenlet", "getcurrent");
    PyObject *current = get ? py.PyObject_CallObject(get, NULL) : NULL;
    PyObject *parent = current ? python_attribute(current, "parent") : NULL;
    PyObject *frame = parent ? python_attribute(parent, "gr_frame") : NULL;
    py.PyErr_Clear();
    if (frame && frame != py._Py_NoneStruct)
        python_walk_add(walk, frame);
    python_drop(frame);
    python_drop(parent);
    python_drop(current);
    python_drop(get);
}

void python_moment_take(struct python_moment *moment)
{
    const uint32_t in_task =
        1u << PYTHON_MARK_TASK | 1u << PYTHON_MARK_TASK_2 | 1u << PYTHON_MARK_TASK_3;
    PyObject *type, *value, *traceback;
    python_context_test();
    python_context_thread();
    python_walk_collect(&moment->walk);
    moment->task = NULL;
    bool greenlet = ends_in_sqlalchemy(&moment->walk);
    if (!greenlet && !(moment->walk.seen & in_task))
        return;
    py.PyErr_Fetch(&type, &value, &traceback);
    if (greenlet)
        add_waiting_frames(&moment->walk);
    if ((moment->walk.seen & in_task) && current_task)
        moment->task = look_at_task(&moment->walk);
    py.PyErr_Restore(type, value, traceback);
}

void python_moment_drop(struct python_moment *moment)
{
    python_drop(moment->task);
}

void python_moment_stack(const struct python_moment *moment, const struct stack_origin *origin,
                         struct stack *stack)
{
    python_frames_use(&moment->walk);
    if (origin)
        stack_capture_from(origin, stack);
    else
        stack_capture(stack);
    python_frames_use(NULL);
}

uint32_t python_moment_task(const struct python_moment *moment)
{
    // The UTF-8 form was not made before: names of tasks are ASCII in all but odd programs.
    char text[128];
    if (!moment->task || !python_layout_trusted ||
        !python_text_copy(moment->task, text, sizeof text))
        return TRACE_NONE;
    return name_intern(text);
}

uint32_t python_moment_intern(const struct python_moment *moment, uint64_t now_ns)
{
    return python_frames_intern(&moment->walk, now_ns);
}
