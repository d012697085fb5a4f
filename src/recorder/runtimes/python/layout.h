// What the layouts (python_layouts.h) say about the interpreter of this process.
#ifndef UNCLOSED_RECORDER_RUNTIMES_PYTHON_LAYOUT_H
#define UNCLOSED_RECORDER_RUNTIMES_PYTHON_LAYOUT_H

#include <stdatomic.h>
#include <stdbool.h>

#include "recorder/runtimes/python/api.h"
#include "shared/python_layouts.h"

// The row of this interpreter, to be used only while python_layout_trusted; else frames are read
// with the C API.
extern const struct python_layout *python_layout;
extern atomic_bool python_layout_trusted;

// Chooses the row and compares it with the C API on the calling thread's own frames, once, as soon
// as there is a frame. GIL held; may run Python code.
void python_layout_check(void);

// The innermost frame of a thread state, or NULL.
static inline void *python_thread_frame(const void *thread)
{
    void *frame = python_at(thread, python_layout->thread_frame);
    if (python_layout->cframe_frame >= 0 && frame)
        frame = python_at(frame, python_layout->cframe_frame);
    return frame;
}

static inline bool python_frame_runs_code(const void *frame)
{
    return python_layout_runs_code(python_layout, frame);
}

// The code object of a frame that runs code. Borrowed.
static inline PyObject *python_frame_code(const void *frame)
{
    return python_layout_code(python_layout, frame);
}

// Variable number `i` of a frame's; NULL: it has no value. Borrowed.
static inline PyObject *python_frame_local(PyObject *const *locals, ssize_t i)
{
    return python_layout_referred(python_layout, &locals[i]);
}

static inline int python_frame_instruction(const void *frame, const PyObject *code)
{
    return python_layout_instruction(python_layout, frame, code);
}

// Writes the text of a str in UTF-8, NUL-terminated and cut at `bytes`. No GIL needed if the str is
// known to stay alive: strings never change. false: not a str in the usual form.
bool python_text_copy(const PyObject *text, char *buffer, size_t bytes);

#endif
