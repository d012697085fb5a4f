// See loops.h.
#include "recorder/runtimes/python/loops.h"

#include "recorder/runtimes/python/layout.h"

enum { MOST_THREADS = 4096, MOST_LOCALS = 256 };

struct loops {
    PyObject *loop_class, *runner_class;
    PyObject **found;
    int count;
};

static void add_loop(struct loops *loops, PyObject *object)
{
    PyObject *loop = NULL;
    if (python_is_a(object, loops->runner_class))
        loop = python_attribute(object, "_loop");
    else if (python_is_a(object, loops->loop_class))
        py.Py_IncRef(loop = object);
    bool known =
        !loop || !python_is_a(loop, loops->loop_class) || loops->count == PYTHON_LOOPS_MOST;
    for (int i = 0; i < loops->count && !known; i++)
        known = loops->found[i] == loop;
    if (known)
        python_drop(loop);
    else
        loops->found[loops->count++] = loop;
}

static void add_loops_of_thread(struct loops *loops, struct python_walk *walk, PyObject *frame)
{
    python_walk_begin(walk);
    python_walk_frames(walk, frame, true);
    for (uint32_t at = 0; at < walk->count; at++) {
        const struct python_walk_frame *of = &walk->frames[at];
        const int count = python_int_at(of->code, python_layout->code_locals);
        for (int i = 0; of->locals && i < count && i < MOST_LOCALS; i++) {
            PyObject *object = python_frame_local(of->locals, i);
            if (object)
                add_loop(loops, object);
        }
    }
}

int python_loops_find(struct python_walk *walk, PyObject *found[PYTHON_LOOPS_MOST])
{
    struct loops loops = {.loop_class = python_find("asyncio.events", "AbstractEventLoop"),
                          .runner_class = python_find("asyncio.runners", "Runner"),
                          .found = found};
    PyObject *get = loops.loop_class ? python_find("sys", "_current_frames") : NULL;
    PyObject *frames = get ? py.PyObject_CallObject(get, NULL) : NULL;
    PyObject *list = frames ? py.PyDict_Values(frames) : NULL;
    py.PyErr_Clear();
    const ssize_t count = list ? py.PyList_Size(list) : 0;
    for (ssize_t i = 0; i < count && i < MOST_THREADS; i++)
        add_loops_of_thread(&loops, walk, py.PyList_GetItem(list, i));
    python_drop(list);
    python_drop(frames);
    python_drop(get);
    python_drop(loops.runner_class);
    python_drop(loops.loop_class);
    return loops.count;
}
