// Where CPython keeps what has no function that may be called without the GIL.
//
// One row per minor version. A new version is a new row: its numbers are offsetof() of the named
// members in that version's Include/internal/pycore_frame.h, cpython/pystate.h, cpython/code.h and
// cpython/unicodeobject.h, 64-bit, release build with a GIL. python_layout_check compares a row
// with what the documented functions say before it is trusted.
#ifndef UNCLOSED_PYTHON_LAYOUT_H
#define UNCLOSED_PYTHON_LAYOUT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "recorder/python_api.h"

enum python_instruction {
    PYTHON_INSTRUCTION_BYTES,   // f_lasti, an int counting bytes (3.8, 3.9)
    PYTHON_INSTRUCTION_UNITS,   // f_lasti, an int counting code units (3.10)
    PYTHON_INSTRUCTION_POINTER, // prev_instr or instr_ptr, a pointer into the code (from 3.11)
};

struct python_layout {
    int minor;
    enum python_instruction instruction;
    uint16_t thread_frame; // PyThreadState: frame, cframe or current_frame
    int16_t cframe_frame;  // _PyCFrame: current_frame; -1: thread_frame is the frame itself
    uint16_t frame_code, frame_back, frame_instruction, frame_locals;
    int16_t frame_owner;   // -1: no such member; frames owned by the C stack run no code
    int16_t object_frame;  // PyFrameObject: f_frame; -1: the object is the frame
    uint16_t object_state; // 3.8, 3.9: f_executing, 3.10: f_state
    uint16_t code_bytes;   // co_code_adaptive; up to 3.10 co_code, a bytes object
    uint16_t code_filename, code_name;
    int16_t code_qualname; // -1: no such member
    uint16_t code_firstline;
    uint16_t code_linetable;
    uint16_t function_code;             // PyFunctionObject: func_code; to 3.10
    uint16_t code_locals;               // co_nlocalsplus, co_nlocals
    uint16_t text_ascii, text_compact;  // sizes of PyASCIIObject, PyCompactUnicodeObject
    uint8_t return_value, return_const; // opcodes; 0: none
};

// The row of this interpreter, to be used only while python_layout_trusted; else frames are read
// with the C API.
extern const struct python_layout *python_layout;
extern atomic_bool python_layout_trusted;

// Chooses the row and compares it with the C API on the calling thread's own frames, once, as soon
// as there is a frame. GIL held; may run Python code.
void python_layout_check(void);

enum { PYTHON_OWNED_BY_C_STACK = 3 };

static inline void *python_at(const void *object, int offset)
{
    return *(void **)((const char *)object + offset);
}

static inline int python_int_at(const void *object, int offset)
{
    return *(const int *)((const char *)object + offset);
}

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
    return python_layout->frame_owner < 0 ||
           *((const char *)frame + python_layout->frame_owner) != PYTHON_OWNED_BY_C_STACK;
}

// The offset in bytes of the instruction that a frame is at, as PyCode_Addr2Line wants it.
static inline int python_frame_instruction(const void *frame, const PyObject *code)
{
    if (python_layout->instruction == PYTHON_INSTRUCTION_POINTER) {
        const char *at = python_at(frame, python_layout->frame_instruction);
        return (int)(at - ((const char *)code + python_layout->code_bytes));
    }
    int at = python_int_at(frame, python_layout->frame_instruction);
    return python_layout->instruction == PYTHON_INSTRUCTION_UNITS ? at * 2 : at;
}

// Writes the text of a str in UTF-8, NUL-terminated and cut at `bytes`. No GIL needed if the str is
// known to stay alive: strings never change. false: not a str in the usual form.
bool python_text_copy(const PyObject *text, char *buffer, size_t bytes);

#endif
