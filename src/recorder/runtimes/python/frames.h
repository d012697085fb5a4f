// Python stacks: collecting a thread's frames and turning them into locations of the trace.
//
// Two steps, because they have different rules. Collecting may use the C API (where the layout of
// this Python version is not known) and so happens before recorder_enter; translating is plain C
// and happens inside. Knows nothing of pools.
#ifndef UNCLOSED_RECORDER_RUNTIMES_PYTHON_FRAMES_H
#define UNCLOSED_RECORDER_RUNTIMES_PYTHON_FRAMES_H

#include <stdbool.h>
#include <stdint.h>

#include "recorder/books/session.h"
#include "recorder/runtimes/python/api.h"

enum python_mark {
    PYTHON_MARK_SESSION,    // SessionTransaction._connection_for_bind: its `self` is wanted
    PYTHON_MARK_CONNECTION, // Connection.__init__: the same
    PYTHON_MARK_TASK,       // asyncio runs a callback here
    PYTHON_MARK_TASK_2,
    PYTHON_MARK_TASK_3,
    PYTHON_MARKS
};

struct python_walk {
    uint32_t count;
    bool cut;
    uint32_t seen;        // bits of enum python_mark
    uint32_t loop;        // index of the first frame of asyncio's event loop; UINT32_MAX: none
    PyObject *connection; // first local of that of PYTHON_MARK_CONNECTION, likewise
    PyObject *session;    // first local of the innermost frame of PYTHON_MARK_SESSION, borrowed, or
                          // NULL
    struct python_walk_frame {
        PyObject *code;    // borrowed from the frame
        PyObject **locals; // the frame's, for python_frame_local; NULL: unknown
        int instruction;   // offset in bytes
    } frames[STACK_FRAMES];
};

// Frames of this code object are noted in python_walk.seen. Keeps a reference. GIL held.
void python_frames_mark(enum python_mark mark, PyObject *code);

// Collects the calling thread's frames, innermost first. With the GIL held it always works, without
// it where the layout is known. Valid until the thread's Python frames change.
void python_walk_collect(struct python_walk *walk);

// Adds a suspended chain of frames (a greenlet's), given its innermost frame object. GIL held; may
// run Python code. The frames must be kept suspended.
void python_walk_add(struct python_walk *walk, PyObject *frame);

// Begins a walk of other frames than the calling thread's.
void python_walk_begin(struct python_walk *walk);

// Adds the frame of a frame object, which belongs to a thread or coroutine that cannot run as long
// as the GIL is held, and with `callers` those that called it. Only while python_layout_trusted.
void python_walk_frames(struct python_walk *walk, PyObject *object, bool callers);

// The outermost frame's code object; NULL if there is none.
static inline PyObject *python_walk_outermost(const struct python_walk *walk)
{
    return walk->count ? walk->frames[walk->count - 1].code : NULL;
}

// Puts the collected frames into a stack that will be filled in with the native ones by
// stack_capture on the same thread. NULL: collect at that moment. Inside recorder_enter.
void python_frames_use(const struct python_walk *walk);

// The collected frames alone, interned: a TRACE_STACKS reference, TRACE_NONE if there are none or
// they were lost. GIL held, inside recorder_enter.
uint32_t python_frames_intern(const struct python_walk *walk, uint64_t now_ns);

// Puts this thread's frames into a stack.
void python_frames_append(struct stack *stack);

// The location of a frame: a TRACE_LOCATIONS reference, TRACE_NONE if lost. Inside recorder_enter,
// with a trace open. No GIL needed where the layout is known. Not cached.
uint32_t python_location(const struct python_walk_frame *frame);

// The interpreter is gone, and with it all code objects.
void python_frames_forget(void);

// The same while it is there: nothing is kept alive any more. GIL held.
void python_frames_drop(void);

#endif
