// The table of object layouts, and the checks that make it safe to trust.
#include "recorder/python_layout.h"

#include <string.h>

const struct python_layout *python_layout;
atomic_bool python_layout_trusted;

static const struct python_layout layouts[] = {
    {.minor = 8,
     .instruction = PYTHON_INSTRUCTION_BYTES,
     .thread_frame = 24,
     .cframe_frame = -1,
     .frame_code = 32,
     .frame_back = 24,
     .frame_instruction = 104,
     .frame_locals = 360,
     .frame_owner = -1,
     .object_frame = -1,
     .object_state = 116,
     .function_code = 16,
     .code_bytes = 48,
     .code_filename = 104,
     .code_name = 112,
     .code_qualname = -1,
     .code_firstline = 40,
     .code_linetable = 120,
     .code_locals = 28,
     .text_ascii = 48,
     .text_compact = 72,
     .return_value = 83},
    {.minor = 9,
     .instruction = PYTHON_INSTRUCTION_BYTES,
     .thread_frame = 24,
     .cframe_frame = -1,
     .frame_code = 32,
     .frame_back = 24,
     .frame_instruction = 104,
     .frame_locals = 360,
     .frame_owner = -1,
     .object_frame = -1,
     .object_state = 116,
     .function_code = 16,
     .code_bytes = 48,
     .code_filename = 104,
     .code_name = 112,
     .code_qualname = -1,
     .code_firstline = 40,
     .code_linetable = 120,
     .code_locals = 28,
     .text_ascii = 48,
     .text_compact = 72,
     .return_value = 83},
    {.minor = 10,
     .instruction = PYTHON_INSTRUCTION_UNITS,
     .thread_frame = 24,
     .cframe_frame = -1,
     .frame_code = 32,
     .frame_back = 24,
     .frame_instruction = 96,
     .frame_locals = 352,
     .frame_owner = -1,
     .object_frame = -1,
     .object_state = 108,
     .function_code = 48,
     .code_bytes = 48,
     .code_filename = 104,
     .code_name = 112,
     .code_qualname = -1,
     .code_firstline = 40,
     .code_linetable = 120,
     .code_locals = 28,
     .text_ascii = 48,
     .text_compact = 72,
     .return_value = 83},
    {.minor = 11,
     .instruction = PYTHON_INSTRUCTION_POINTER,
     .thread_frame = 56,
     .cframe_frame = 8,
     .frame_code = 32,
     .frame_back = 48,
     .frame_instruction = 56,
     .frame_locals = 72,
     .frame_owner = 69,
     .object_frame = 24,
     .code_bytes = 184,
     .code_filename = 112,
     .code_name = 120,
     .code_qualname = 128,
     .code_firstline = 72,
     .code_linetable = 136,
     .code_locals = 76,
     .text_ascii = 48,
     .text_compact = 72,
     .return_value = 83},
    {.minor = 12,
     .instruction = PYTHON_INSTRUCTION_POINTER,
     .thread_frame = 56,
     .cframe_frame = 0,
     .frame_code = 0,
     .frame_back = 8,
     .frame_instruction = 56,
     .frame_locals = 72,
     .frame_owner = 70,
     .object_frame = 24,
     .code_bytes = 192,
     .code_filename = 112,
     .code_name = 120,
     .code_qualname = 128,
     .code_firstline = 68,
     .code_linetable = 136,
     .code_locals = 72,
     .text_ascii = 40,
     .text_compact = 56,
     .return_value = 83,
     .return_const = 121},
    {.minor = 13,
     .instruction = PYTHON_INSTRUCTION_POINTER,
     .thread_frame = 72,
     .cframe_frame = -1,
     .frame_code = 0,
     .frame_back = 8,
     .frame_instruction = 56,
     .frame_locals = 72,
     .frame_owner = 70,
     .object_frame = 24,
     .code_bytes = 200,
     .code_filename = 112,
     .code_name = 120,
     .code_qualname = 128,
     .code_firstline = 68,
     .code_linetable = 136,
     .code_locals = 72,
     .text_ascii = 40,
     .text_compact = 56,
     .return_value = 36,
     .return_const = 103},
};

// The state bits of a str: interned:2, kind:3, compact:1, ascii:1 (same in all rows).
enum { TEXT_LENGTH = 16, TEXT_STATE = 32, TEXT_KIND_SHIFT = 2, TEXT_COMPACT = 32, TEXT_ASCII = 64 };

static size_t utf8_encode(uint32_t c, char out[4])
{
    if (c < 0x80) {
        out[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        out[0] = (char)(0xc0 | c >> 6);
        out[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        out[0] = (char)(0xe0 | c >> 12);
        out[1] = (char)(0x80 | (c >> 6 & 0x3f));
        out[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    out[0] = (char)(0xf0 | c >> 18);
    out[1] = (char)(0x80 | (c >> 12 & 0x3f));
    out[2] = (char)(0x80 | (c >> 6 & 0x3f));
    out[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

static uint32_t text_character(const void *data, unsigned width, size_t i)
{
    return width == 1   ? ((const uint8_t *)data)[i]
           : width == 2 ? ((const uint16_t *)data)[i]
                        : ((const uint32_t *)data)[i];
}

bool python_text_copy(const PyObject *text, char *buffer, size_t bytes)
{
    if (!text || text->type != py.PyUnicode_Type)
        return false;
    unsigned state = (unsigned)python_int_at(text, TEXT_STATE);
    unsigned width = state >> TEXT_KIND_SHIFT & 7;
    if (!(state & TEXT_COMPACT) || (width != 1 && width != 2 && width != 4))
        return false;
    bool ascii = state & TEXT_ASCII;
    const char *data =
        (const char *)text + (ascii ? python_layout->text_ascii : python_layout->text_compact);
    size_t length = (size_t)python_at(text, TEXT_LENGTH);
    if (ascii) {
        size_t n = length < bytes ? length : bytes - 1;
        memcpy(buffer, data, n);
        buffer[n] = '\0';
        return true;
    }
    size_t at = 0;
    for (size_t i = 0; i < length && at + 4 < bytes; i++)
        at += utf8_encode(text_character(data, width, i), buffer + at);
    buffer[at] = '\0';
    return true;
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
           python_int_at(code, python_layout->code_firstline);
}

// Whether a frame read by the table is the one that the API shows.
static bool frame_agrees(const void *frame, PyObject *shown)
{
    PyObject *code = python_attribute(shown, "f_code");
    bool same = code && python_at(frame, python_layout->frame_code) == code &&
                py.PyCode_Addr2Line(code, python_frame_instruction(frame, code)) ==
                    py.PyFrame_GetLineNumber(shown) &&
                code_agrees(code);
    python_drop(code);
    return same;
}

static const void *skip_frames_without_code(const void *frame)
{
    while (frame && !python_frame_runs_code(frame))
        frame = python_at(frame, python_layout->frame_back);
    return frame;
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
        frame = skip_frames_without_code(frame);
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
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++)
        if (layouts[i].minor == py.minor)
            python_layout = &layouts[i];
    static const struct python_layout unknown = {.minor = -1};
    if (!python_layout)
        python_layout = &unknown;
    else if (thread_agrees())
        atomic_store(&python_layout_trusted, true);
}
