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
     .return_const = 121,
     .traced_return_value = 242,
     .traced_return_const = 247,
     .traced_other = {254, 253}},
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
     .return_const = 103,
     .traced_return_value = 239,
     .traced_return_const = 240,
     .traced_other = {254, 247}},
};

const struct python_layout *python_layout_of(int minor)
{
    for (size_t i = 0; i < sizeof layouts / sizeof *layouts; i++)
        if (layouts[i].minor == minor)
            return &layouts[i];
    return NULL;
}

// Where _Py_DebugOffsets has what, in words of 8 bytes; the same from 3.13 to 3.15 up to
// OFFSETS_HEADS. frame_, code_: the first member of that part.
struct offsets_schema {
    int minor;
    uint16_t threads, thread_frame, thread_identity, thread_native;
    uint16_t frame_back, code_size, code_adaptive, object_size, text_ascii;
    struct python_layout opcodes; // what the interpreter does not tell
};

enum { OFFSETS_VERSION = 1, OFFSETS_FREE_THREADED = 2, OFFSETS_HEADS = 5 };

static const struct offsets_schema schemas[] = {
    {13,
     9,
     23,
     24,
     25,
     29,
     34,
     43,
     44,
     70,
     {.return_value = 36,
      .return_const = 103,
      .traced_return_value = 239,
      .traced_return_const = 240,
      .traced_other = {254, 247}}},
    {14,
     9,
     26,
     27,
     28,
     32,
     39,
     48,
     50,
     80,
     {.return_value = 35, .traced_return_value = 246, .traced_other = {254, 238}, .tags = 3}},
    {15,
     9,
     26,
     30,
     31,
     40,
     47,
     56,
     58,
     92,
     {.return_value = 33, .traced_return_value = 245, .traced_other = {253, 237}, .tags = 3}},
    // Not known yet. Without opcodes nothing is said about how functions were left.
    {16, 9, 26, 30, 31, 40, 47, 56, 58, 92, {.tags = 3}},
};

static const struct offsets_schema *schema_of(int minor)
{
    const size_t count = sizeof schemas / sizeof *schemas;
    for (size_t i = 0; i < count; i++)
        if (schemas[i].minor == minor)
            return &schemas[i];
    return minor > schemas[count - 1].minor ? &schemas[count - 1] : NULL;
}

// An object begins with OBJECT bytes; the members of a frame and of code, from the schema's first
// on.
enum { OBJECT = 16, BACK = 0, EXECUTABLE, INSTRUCTION, LOCALS, OWNER };
enum { SIZE = 0, FILENAME, NAME, QUALNAME, LINETABLE, FIRSTLINE };

// Whether the words are a table of offsets of this version, and members lie in what they belong to.
static bool offsets_fit(const struct offsets_schema *schema, int minor, const uint64_t *words)
{
    enum { FRAME_MOST = 256, CODE_MOST = 512, TEXT_MOST = 64 };
    const uint64_t *const frame = &words[schema->frame_back];
    const uint64_t *const code = &words[schema->code_size];
    const uint64_t frame_size = frame[-1];
    if (memcmp(words, "xdebugpy", 8) != 0 || words[OFFSETS_VERSION] >> 24 != 3 ||
        (int)(words[OFFSETS_VERSION] >> 16 & 0xff) != minor || words[OFFSETS_FREE_THREADED] != 0)
        return false;
    for (int i = BACK; i <= OWNER; i++)
        if (frame[i] > frame_size)
            return false;
    for (int i = FILENAME; i <= FIRSTLINE; i++)
        if (code[i] >= code[SIZE])
            return false;
    return words[schema->object_size] == OBJECT && frame_size <= FRAME_MOST &&
           code[SIZE] <= CODE_MOST && words[schema->text_ascii] <= TEXT_MOST;
}

bool python_layout_read(int minor, const void *runtime, struct python_layout *layout)
{
    uint64_t words[PYTHON_RUNTIME_BYTES / 8];
    const struct offsets_schema *schema = schema_of(minor);
    memcpy(words, runtime, sizeof words);
    if (!schema || !offsets_fit(schema, minor, words))
        return false;
    const uint64_t *const frame = &words[schema->frame_back];
    const uint64_t *const code = &words[schema->code_size];
    const uint64_t text = words[schema->text_ascii];
    *layout = schema->opcodes;
    layout->minor = minor;
    layout->instruction = PYTHON_INSTRUCTION_POINTER;
    layout->runtime_main = (uint16_t)(words[OFFSETS_HEADS] + 8); // interpreters.main follows head
    layout->interpreter_threads = (uint16_t)words[schema->threads];
    layout->thread_identity = (uint16_t)words[schema->thread_identity];
    layout->thread_native = (int16_t)words[schema->thread_native];
    layout->thread_frame = (uint16_t)words[schema->thread_frame];
    layout->cframe_frame = -1;
    layout->frame_code = (uint16_t)frame[EXECUTABLE];
    layout->frame_back = (uint16_t)frame[BACK];
    layout->frame_instruction = (uint16_t)frame[INSTRUCTION];
    layout->frame_locals = (uint16_t)frame[LOCALS];
    layout->frame_owner = (int16_t)frame[OWNER];
    layout->object_frame = OBJECT + 8; // PyFrameObject: f_back, f_frame
    layout->code_bytes = (uint16_t)words[schema->code_adaptive];
    layout->code_filename = (uint16_t)code[FILENAME];
    layout->code_name = (uint16_t)code[NAME];
    layout->code_qualname = (int16_t)code[QUALNAME];
    layout->code_firstline = (uint16_t)code[FIRSTLINE];
    layout->code_linetable = (uint16_t)code[LINETABLE];
    layout->code_locals = (uint16_t)(code[FIRSTLINE] + 4); // co_nlocalsplus follows co_firstlineno
    layout->text_ascii = (uint16_t)text;
    layout->text_compact = (uint16_t)(text + 16);
    return true;
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
