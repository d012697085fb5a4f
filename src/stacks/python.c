// Reading an interpreter's objects from outside: see python.h.
#include "stacks/python.h"

#include <string.h>

#include "stacks/python_lines.h"

enum {
    THREADS_MOST = 4096,
    OBJECT_TYPE = 8, // of every object: its type
    FRAME_BYTES = 128,
    TEXT_BYTES = 4096,
    LINES_BYTES = 1 << 18,
};

static uint64_t address_at(const void *object, int offset)
{
    return (uint64_t)(uintptr_t)python_at(object, offset);
}

static bool read_word(const struct target *target, uint64_t address, uint64_t *word)
{
    return address != 0 && target_read(target, address, word, sizeof *word) == 0;
}

// Which CPython it is: Py_Version tells from 3.11 on, before that the functions that are there (the
// manual says since when each is).
static int minor_version(const struct target *target)
{
    uint64_t version = 0;
    if (read_word(target, target_symbol(target, "Py_Version"), &version))
        return version >> 24 == 3 ? (int)(version >> 16 & 0xff) : -1;
    if (target_symbol(target, "Py_NewRef") != 0)
        return 10;
    if (target_symbol(target, "PyFrame_GetCode") != 0)
        return 9;
    return target_symbol(target, "PySys_AddAuditHook") != 0 ? 8 : -1;
}

// Whether a thread's state can be told from those of others: by the kernel's id, or by what
// pthread_self() says, which only on x86-64 is the thread pointer.
static bool has_identity(const struct python_layout *layout)
{
#ifdef __x86_64__
    (void)layout;
    return true;
#else
    return layout->thread_native >= 0;
#endif
}

static void find_layout(const struct target *target, uint64_t runtime, struct python_remote *python)
{
    uint8_t copy[PYTHON_RUNTIME_BYTES] __attribute__((aligned(8)));
    const int minor = minor_version(target);
    python->layout = python_layout_of(minor);
    if (!python->layout && minor > 0 && target_read(target, runtime, copy, sizeof copy) == 0 &&
        python_layout_read(minor, copy, &python->told))
        python->layout = &python->told;
}

bool python_remote_find(const struct target *target, struct python_remote *python)
{
    const uint64_t runtime = target_symbol(target, "_PyRuntime");
    *python = (struct python_remote){0};
    if (runtime == 0)
        return false;
    find_layout(target, runtime, python);
    python->code_type = target_symbol(target, "PyCode_Type");
    python->text_type = target_symbol(target, "PyUnicode_Type");
    return python->layout && has_identity(python->layout) && python->code_type != 0 &&
           python->text_type != 0 &&
           read_word(target, runtime + python->layout->runtime_main, &python->interpreter) &&
           python->interpreter != 0;
}

// Finds the state of the thread in the main interpreter; *found: 0 if it has none. false: the list
// could not be read to its end.
static bool find_thread(const struct target *target, const struct python_remote *python,
                        uint64_t pointer, uint32_t tid, uint64_t *found)
{
    const struct python_layout *layout = python->layout;
    uint64_t thread = 0;
    uint64_t word = 0;
    *found = 0;
    if (!read_word(target, python->interpreter + layout->interpreter_threads, &thread))
        return false;
    for (int i = 0; i < THREADS_MOST && thread != 0; i++) {
        if (!read_word(target, thread + layout->thread_identity, &word))
            return false;
        bool same = word == pointer;
        if (!same && layout->thread_native >= 0)
            same =
                read_word(target, thread + (uint64_t)layout->thread_native, &word) && word == tid;
        if (same) {
            *found = thread;
            return true;
        }
        if (!read_word(target, thread + PYTHON_THREAD_NEXT, &thread))
            return false;
    }
    return thread == 0;
}

// How much of a frame is looked at.
static size_t frame_bytes(const struct python_layout *layout)
{
    size_t bytes = layout->frame_code;
    if (layout->frame_back > bytes)
        bytes = layout->frame_back;
    if (layout->frame_instruction > bytes)
        bytes = layout->frame_instruction;
    if (layout->frame_owner >= 0 && (size_t)layout->frame_owner > bytes)
        bytes = (size_t)layout->frame_owner;
    return bytes + sizeof(uint64_t);
}

// Copies one frame, if somebody wrote its code. false: it makes no sense.
static bool copy_frame(const struct target *target, const struct python_remote *python,
                       const void *frame, struct python_snapshot *snapshot)
{
    struct python_snapshot_frame *to = &snapshot->frames[snapshot->count];
    to->code = (uint64_t)(uintptr_t)python_layout_code(python->layout, frame);
    to->instruction = python_layout_instruction(
        python->layout, frame, (const void *)(uintptr_t)to->code); // NOLINT(*-int-to-ptr)
    if (to->code == 0 || target_read(target, to->code, to->copy, sizeof to->copy) != 0 ||
        address_at(to->copy, OBJECT_TYPE) != python->code_type)
        return false;
    snapshot->count += !python_layout_is_shim(python->layout, to->copy);
    return true;
}

void python_snapshot_take(const struct target *target, const struct python_remote *python,
                          uint64_t pointer, uint32_t tid, struct python_snapshot *snapshot)
{
    const struct python_layout *layout = python->layout;
    uint64_t thread = 0;
    uint64_t frame = 0;
    snapshot->count = 0;
    snapshot->cut = true; // until it turns out that there is no more
    if (!find_thread(target, python, pointer, tid, &thread) ||
        (thread != 0 && !read_word(target, thread + layout->thread_frame, &frame)))
        return;
    if (layout->cframe_frame >= 0 && frame != 0 &&
        !read_word(target, frame + (uint64_t)layout->cframe_frame, &frame))
        return;
    const size_t bytes = frame_bytes(layout);
    while (frame != 0) {
        uint8_t copy[FRAME_BYTES] __attribute__((aligned(8)));
        if (snapshot->count == PYTHON_SNAPSHOT_FRAMES ||
            target_read(target, frame, copy, bytes) != 0 ||
            (python_layout_runs_code(layout, copy) && !copy_frame(target, python, copy, snapshot)))
            return;
        frame = address_at(copy, layout->frame_back);
    }
    snapshot->cut = false;
}

// The text of a str, or NULL.
static const char *read_text(struct arena *arena, const struct target *target,
                             const struct python_remote *python, uint64_t address)
{
    uint8_t object[TEXT_BYTES] __attribute__((aligned(8)));
    char text[TEXT_BYTES];
    if (address == 0 || target_read(target, address, object, PYTHON_TEXT_HEAD) != 0 ||
        address_at(object, OBJECT_TYPE) != python->text_type)
        return NULL;
    const uint64_t bytes = python_layout_text_bytes(python->layout, object);
    if (bytes == 0 || bytes > sizeof object ||
        target_read(target, address, object, (size_t)bytes) != 0 ||
        !python_layout_text(python->layout, object, text, sizeof text))
        return NULL;
    return arena_text(arena, text);
}

// The line of an instruction, or 0.
static unsigned read_line(struct arena *arena, const struct target *target,
                          const struct python_remote *python,
                          const struct python_snapshot_frame *frame)
{
    const uint64_t table = address_at(frame->copy, python->layout->code_linetable);
    uint64_t bytes = 0;
    if (!read_word(target, table + PYTHON_BYTES_LENGTH, &bytes) || bytes > LINES_BYTES)
        return 0;
    uint8_t *data = arena_take(arena, bytes);
    if (target_read(target, table + PYTHON_BYTES_DATA, data, bytes) != 0)
        return 0;
    const int first = python_int_at(frame->copy, python->layout->code_firstline);
    const int line = python_line(python->layout->minor, data, bytes, first, frame->instruction);
    return line > 0 ? (unsigned)line : 0;
}

// Whether the code object is the one it was when the thread was paused: what was read meanwhile is
// then that of the frame.
static bool is_unchanged(const struct target *target, const struct python_layout *layout,
                         const struct python_snapshot_frame *frame)
{
    uint8_t now[PYTHON_CODE_BYTES] __attribute__((aligned(8)));
    return target_read(target, frame->code, now, sizeof now) == 0 &&
           address_at(now, OBJECT_TYPE) == address_at(frame->copy, OBJECT_TYPE) &&
           address_at(now, layout->code_filename) ==
               address_at(frame->copy, layout->code_filename) &&
           address_at(now, layout->code_name) == address_at(frame->copy, layout->code_name) &&
           address_at(now, layout->code_linetable) ==
               address_at(frame->copy, layout->code_linetable) &&
           python_int_at(now, layout->code_firstline) ==
               python_int_at(frame->copy, layout->code_firstline);
}

void python_snapshot_name(struct arena *arena, const struct target *target,
                          const struct python_remote *python,
                          const struct python_snapshot *snapshot, struct now_thread *thread)
{
    const struct python_layout *layout = python->layout;
    const int name = layout->code_qualname >= 0 ? layout->code_qualname : layout->code_name;
    for (uint32_t i = 0; i < snapshot->count; i++) {
        const struct python_snapshot_frame *from = &snapshot->frames[i];
        struct now_frame frame = {
            .function = read_text(arena, target, python, address_at(from->copy, name)),
            .file = read_text(arena, target, python, address_at(from->copy, layout->code_filename)),
            .line = read_line(arena, target, python, from),
        };
        if (!frame.function || !frame.file || !is_unchanged(target, layout, from))
            frame = (struct now_frame){.function = "(code that was freed)", .file = ""};
        *LIST_ADD(arena, &thread->frames) = frame;
    }
    thread->cut |= snapshot->cut;
}
