// Choosing this interpreter's layout, and the checks that make it safe to trust.
#include "recorder/runtimes/python/layout.h"

#include <limits.h>
#include <string.h>

#include "recorder/core/peek.h"

const struct python_layout *python_layout;
atomic_bool python_layout_trusted;

bool python_text_copy(const PyObject *text, char *buffer, size_t bytes)
{
    return text && text->type == py.PyUnicode_Type &&
           python_layout_text(python_layout, text, buffer, bytes);
}

// Whether the code object says through the table what it says through its attributes.
static bool code_agrees(const PyObject *code)
{
    struct {
        const char *name;
        int offset;
    } texts[] = {{"co_filename", python_layout->code_filename},
                 {"co_name", python_layout->code_name},
                 {"co_qualname", python_layout->code_qualname}};
    for (int i = 0; i < 3; i++) {
        if (texts[i].offset < 0)
            continue;
        char copy[512];
        PyObject *value = python_attribute((PyObject *)code, texts[i].name);
        const char *text = python_text(value);
        bool same = text && value == python_at(code, texts[i].offset) &&
                    python_text_copy(value, copy, sizeof copy) &&
                    strncmp(text, copy, sizeof copy - 5) == 0;
        python_drop(value);
        if (!same)
            return false;
    }
    return python_attribute_long((PyObject *)code, "co_firstlineno", -1) ==
               python_int_at(code, python_layout->code_firstline) &&
           python_attribute_long((PyObject *)code, "co_nlocals", INT_MAX) <=
               python_int_at(code, python_layout->code_locals);
}

// Whether a frame read by the table is the one that the API shows.
static bool frame_agrees(const void *frame, PyObject *shown)
{
    PyObject *code = python_attribute(shown, "f_code");
    bool same = code && python_frame_code(frame) == code &&
                py.PyCode_Addr2Line(code, python_frame_instruction(frame, code)) ==
                    py.PyFrame_GetLineNumber(shown) &&
                code_agrees(code);
    python_drop(code);
    return same;
}

// Whether a frame is where memory can be read: a layout that does not fit leads anywhere.
static bool frame_there(const void *frame)
{
    enum { FRAME = 128 };
    const uint64_t page = 4096, at = (uint64_t)(uintptr_t)frame;
    return at % 8 == 0 && peek_page(at & -page) && peek_page((at + FRAME) & -page);
}

static bool frame_of_shim(const void *frame)
{
    enum { CODE = 256 };
    const PyObject *code = python_frame_code(frame);
    const uint64_t page = 4096, at = (uint64_t)(uintptr_t)code;
    return code && at % 8 == 0 && peek_page(at & -page) && peek_page((at + CODE) & -page) &&
           code->type == py.PyCode_Type && python_layout_is_shim(python_layout, code);
}

// *frame: moved on to the next one that runs code, or to NULL. false: the chain makes no sense.
static bool skip_frames_without_code(const void **frame)
{
    for (int skipped = 0; *frame; skipped++) {
        if (skipped == 1000 || !frame_there(*frame))
            return false;
        if (python_frame_runs_code(*frame) && !frame_of_shim(*frame))
            break;
        *frame = python_at(*frame, python_layout->frame_back);
    }
    return true;
}

// Compares the calling thread's frames, down to the outermost or to a depth that convinces.
static bool thread_agrees(void)
{
    enum { CONVINCING = 64 };
    const void *frame = python_thread_frame(py.PyGILState_GetThisThreadState());
    PyObject *shown = py.PyEval_GetFrame();
    bool agrees = shown != NULL;
    if (shown)
        py.Py_IncRef(shown);
    for (int depth = 0; agrees && depth < CONVINCING; depth++) {
        if (!skip_frames_without_code(&frame)) {
            agrees = false;
            break;
        }
        if (!frame || shown == py._Py_NoneStruct) { // both chains must end together
            agrees = !frame && shown == py._Py_NoneStruct;
            break;
        }
        PyObject *back = frame_agrees(frame, shown) ? python_attribute(shown, "f_back") : NULL;
        py.Py_DecRef(shown);
        shown = back;
        agrees = shown != NULL;
        frame = python_at(frame, python_layout->frame_back);
    }
    python_drop(shown);
    return agrees;
}

void python_layout_check(void)
{
    if (python_layout || !py.PyEval_GetFrame() || !py.PyGILState_GetThisThreadState())
        return;
    static const struct python_layout unknown = {.minor = -1};
    static struct python_layout told;
    const struct python_layout *layout = python_layout_of(py.minor);
    if (!layout && py._PyRuntime && python_layout_read(py.minor, py._PyRuntime, &told))
        layout = &told;
    python_layout = layout ? layout : &unknown;
    if (layout && thread_agrees())
        atomic_store(&python_layout_trusted, true);
}
