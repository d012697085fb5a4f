// Where CPython keeps what has no function that may be called: neither without the GIL, nor by
// somebody who looks at the process from outside.
//
// Up to 3.13 one row per minor version: its numbers are offsetof() of the named members in that
// version's Include/internal/pycore_frame.h, pycore_runtime.h, pycore_interp.h, cpython/pystate.h,
// cpython/code.h and cpython/unicodeobject.h, 64-bit, release build with a GIL. From 3.14 on the
// interpreter tells: _PyRuntime begins with _Py_DebugOffsets (pycore_debug_offsets.h), made for
// debuggers and profilers. Whoever uses a layout makes sure that it fits before he trusts it.
//
// The functions here look at an object where the pointer they are given says, be that the object
// itself or a copy of it. They follow no pointers in it, know neither the interpreter's functions
// nor the recorder, and are thread-safe.
#ifndef UNCLOSED_SHARED_PYTHON_LAYOUTS_H
#define UNCLOSED_SHARED_PYTHON_LAYOUTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum python_instruction {
    PYTHON_INSTRUCTION_BYTES,   // f_lasti, an int counting bytes (3.8, 3.9)
    PYTHON_INSTRUCTION_UNITS,   // f_lasti, an int counting code units (3.10)
    PYTHON_INSTRUCTION_POINTER, // prev_instr or instr_ptr, a pointer into the code (from 3.11)
};

struct python_layout {
    int minor;
    enum python_instruction instruction;
    uint16_t runtime_main;        // _PyRuntime: interpreters.main
    uint16_t interpreter_threads; // PyInterpreterState: threads.head or tstate_head
    uint16_t thread_identity;     // PyThreadState: thread_id, what pthread_self() says
    int16_t thread_native;        // PyThreadState: native_thread_id, the kernel's; -1: not there
    uint16_t thread_frame;        // PyThreadState: frame, cframe or current_frame
    int16_t cframe_frame;         // _PyCFrame: current_frame; -1: thread_frame is the frame itself
    uint16_t frame_code, frame_back, frame_instruction, frame_locals;
    int16_t frame_owner;   // -1: no such member; see python_layout_runs_code
    int16_t object_frame;  // PyFrameObject: f_frame; -1: the object is the frame
    uint16_t object_state; // 3.8, 3.9: f_executing, 3.10: f_state
    uint16_t code_bytes;   // co_code_adaptive; up to 3.10 co_code, a bytes object
    uint16_t code_filename, code_name;
    int16_t code_qualname; // -1: no such member
    uint16_t code_firstline;
    uint16_t code_linetable;           // co_linetable; up to 3.9 co_lnotab
    uint16_t function_code;            // PyFunctionObject: func_code; to 3.10
    uint16_t code_locals;              // co_nlocalsplus, co_nlocals
    uint16_t text_ascii, text_compact; // sizes of PyASCIIObject, PyCompactUnicodeObject
    // Opcodes of return instructions, then those that tools put in the place of others
    // (sys.monitoring); 0: there is none, or it is not known.
    uint8_t return_value, return_const, traced_return_value, traced_return_const, traced_other[2];
    uint8_t tags; // bits of a reference in a frame that are none of the address (_PyStackRef)
};

// The row of CPython 3.`minor`; NULL: there is none, or python_layout_read is to be asked.
const struct python_layout *python_layout_of(int minor);

// How much of _PyRuntime python_layout_read looks at, in bytes.
enum { PYTHON_RUNTIME_BYTES = 768 };

// Makes the layout of CPython 3.`minor`, from 3.13 on, of what it says of itself.
// runtime: the first PYTHON_RUNTIME_BYTES of _PyRuntime, or a copy. false: this is no table of
// offsets, or one of a build that is not understood (free-threaded); *layout is then undefined.
// Versions newer than are known are read like the newest that is: make sure that it fits.
bool python_layout_read(int minor, const void *runtime, struct python_layout *layout);

// The same in all rows: where a thread state has the next one of its interpreter, and the length
// and the data of a bytes object.
enum { PYTHON_THREAD_NEXT = 8, PYTHON_BYTES_LENGTH = 16, PYTHON_BYTES_DATA = 32 };

// Frames of this owner and above run no Python code: FRAME_OWNED_BY_CSTACK up to 3.13,
// FRAME_OWNED_BY_INTERPRETER and, in 3.14, FRAME_OWNED_BY_CSTACK after it.
enum { PYTHON_OWNED_BY_C_STACK = 3 };

static inline void *python_at(const void *object, int offset)
{
    return *(void **)((const char *)object + offset);
}

static inline int python_int_at(const void *object, int offset)
{
    return *(const int *)((const char *)object + offset);
}

static inline bool python_layout_runs_code(const struct python_layout *layout, const void *frame)
{
    return layout->frame_owner < 0 ||
           *((const char *)frame + layout->frame_owner) < PYTHON_OWNED_BY_C_STACK;
}

// What a reference in a frame refers to: the code object or a local variable. NULL: nothing, or
// (from 3.15) a number that has no object.
static inline void *python_layout_referred(const struct python_layout *layout, const void *place)
{
    const uintptr_t bits = *(const uintptr_t *)place;
    const bool number = layout->tags && (bits & layout->tags) == layout->tags;
    return number ? NULL : (void *)(bits & ~(uintptr_t)layout->tags); // NOLINT(*-int-to-ptr)
}

// The code object of a frame that runs code.
static inline void *python_layout_code(const struct python_layout *layout, const void *frame)
{
    return python_layout_referred(layout, (const char *)frame + layout->frame_code);
}

// Whether it is the code of a frame that the interpreter puts below a class's __init__ (from 3.12
// on, _Py_InitCleanup): the interpreter makes it, and the API does not show it. code: of type code.
static inline bool python_layout_is_shim(const struct python_layout *layout, const void *code)
{
    return layout->code_qualname >= 0 && python_int_at(code, layout->code_firstline) == 0 &&
           python_at(code, layout->code_filename) == python_at(code, layout->code_qualname);
}

// The offset in bytes of the instruction that a frame is at, as PyCode_Addr2Line wants it.
// code: the address of its code object, which is not looked at.
static inline int python_layout_instruction(const struct python_layout *layout, const void *frame,
                                            const void *code)
{
    if (layout->instruction == PYTHON_INSTRUCTION_POINTER) {
        const char *at = python_at(frame, layout->frame_instruction);
        return (int)(at - ((const char *)code + layout->code_bytes));
    }
    int at = python_int_at(frame, layout->frame_instruction);
    return layout->instruction == PYTHON_INSTRUCTION_UNITS ? at * 2 : at;
}

// How much of a str has to be there for python_layout_text_bytes, which tells how much of it has to
// be there for python_layout_text: 0 if it is not in the usual form.
enum { PYTHON_TEXT_HEAD = 40 };
uint64_t python_layout_text_bytes(const struct python_layout *layout, const void *text);

// Writes the text of a str in UTF-8, NUL-terminated and cut at `bytes`. false: it is not in the
// usual form.
bool python_layout_text(const struct python_layout *layout, const void *text, char *buffer,
                        size_t bytes);

#endif
