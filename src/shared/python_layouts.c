// The table of object layouts, and reading strings by it. See python_layouts.h.
#include "shared/python_layouts.h"

#include <string.h>

static const struct python_layout layouts[] = {
    {.minor = 8,
     .instruction = PYTHON_INSTRUCTION_BYTES,
     .runtime_main = 40,
     .interpreter_threads = 8,
     .thread_identity = 176,
     .thread_native = -1,
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
     .runtime_main = 40,
     .interpreter_threads = 8,
     .thread_identity = 176,
     .thread_native = -1,
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
     .runtime_main = 40,
     .interpreter_threads = 8,
     .thread_identity = 176,
     .thread_native = -1,
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
     .runtime_main = 48,
     .interpreter_threads = 16,
     .thread_identity = 152,
     .thread_native = 160,
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
     .runtime_main = 48,
     .interpreter_threads = 72,
     .thread_identity = 136,
     .thread_native = 144,
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
     .runtime_main = 640,
     .interpreter_threads = 7344,
     .thread_identity = 152,
     .thread_native = 160,
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

const struct python_layout *python_layout_of(int minor)
{
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++)
        if (layouts[i].minor == minor)
            return &layouts[i];
    return NULL;
}

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

// Bytes of a character, or 0 if the str has another form than the usual one.
static unsigned character_width(const void *text)
{
    unsigned state = (unsigned)python_int_at(text, TEXT_STATE);
    unsigned width = state >> TEXT_KIND_SHIFT & 7;
    return (state & TEXT_COMPACT) && (width == 1 || width == 2 || width == 4) ? width : 0;
}

static bool is_ascii(const void *text)
{
    return (unsigned)python_int_at(text, TEXT_STATE) & TEXT_ASCII;
}

uint64_t python_layout_text_bytes(const struct python_layout *layout, const void *text)
{
    const uint64_t length = (uint64_t)(uintptr_t)python_at(text, TEXT_LENGTH);
    const unsigned width = character_width(text);
    if (width == 0 || length > UINT32_MAX)
        return 0;
    return (is_ascii(text) ? layout->text_ascii : layout->text_compact) + length * width;
}

bool python_layout_text(const struct python_layout *layout, const void *text, char *buffer,
                        size_t bytes)
{
    const unsigned width = character_width(text);
    if (width == 0)
        return false;
    bool ascii = is_ascii(text);
    const char *data = (const char *)text + (ascii ? layout->text_ascii : layout->text_compact);
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
