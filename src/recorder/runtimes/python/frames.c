// Collecting Python frames, and the cache that makes a warm frame cost a few nanoseconds.
//
// Knows nothing of pools, sessions or the GIL's state beyond what its callers promise.
#include "recorder/runtimes/python/frames.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "recorder/core/recorder.h"
#include "recorder/runtimes/python/layout.h"
#include "recorder/runtimes/python/shutdown.h"
#include "recorder/runtimes/python/walk_memo.h"

// A cache slot: which location an instruction of a code object is. Slots are read and written by
// threads with and without the GIL, so each is a sequence lock; one that was being written during a
// fork stays odd in the child and is then merely never used.
//
// The address of a code object may belong to another one later. With the GIL the slot takes a
// reference, so that this cannot happen (`kept`; such slots are not given to other code any more,
// so that at most LOCATION_SLOTS code objects are kept alive). Without it, what the object says of
// itself is compared. An instruction may be in any of the WAYS slots of its group.
struct location_slot {
    atomic_uint sequence;
    uint32_t location;
    uint32_t generation;
    int instruction;
    const PyObject *code;
    const void *filename, *name, *linetable;
    uint64_t file; // hash of the text of filename
    bool kept;
} __attribute__((aligned(64)));

enum { LOCATION_SLOTS = 8192, WAYS = 4 };
static struct location_slot location_slots[LOCATION_SLOTS];

// The marked code objects, at the place that their address says: one look decides about a frame.
enum { MARK_PLACES = 64 };
static struct {
    PyObject *code;
    enum python_mark mark;
} marks[MARK_PLACES];

static __thread const struct python_walk *walk_in_use;

// The code of frames that the interpreter makes itself (python_layout_is_shim); there is one in a
// process, and it is left out as soon as it has been met.
static _Atomic(PyObject *) shim_code;

static inline size_t mark_place(const PyObject *code)
{
    return ((uintptr_t)code >> 4 ^ (uintptr_t)code >> 10) % MARK_PLACES;
}

void python_frames_mark(enum python_mark mark, PyObject *code)
{
    size_t place = mark_place(code);
    if (python_keeps_nothing())
        return;
    if (marks[place].code) // two at one place: the one that tells of sessions matters more
        if (marks[place].mark < mark)
            return;
    py.Py_IncRef(code);
    marks[place].mark = mark;
    marks[place].code = code;
}

static inline bool walk_push(struct python_walk *walk, PyObject *code, PyObject **locals,
                             int instruction)
{
    if (walk->count == STACK_FRAMES) {
        walk->cut = true;
        return false;
    }
    walk->frames[walk->count++] = (struct python_walk_frame){code, locals, instruction};
    size_t place = mark_place(code);
    if (__builtin_expect(marks[place].code == code, false)) {
        enum python_mark mark = marks[place].mark;
        walk->seen |= 1u << mark;
        if (mark >= PYTHON_MARK_TASK && walk->loop == UINT32_MAX)
            walk->loop = walk->count - 1;
        if (mark == PYTHON_MARK_SESSION && locals && !walk->session)
            walk->session = python_frame_local(locals, 0);
        if (mark == PYTHON_MARK_CONNECTION && locals && !walk->connection)
            walk->connection = python_frame_local(locals, 0);
    }
    return true;
}

// false: no more room.
static inline bool push_frame(struct python_walk *walk, const struct python_layout *layout,
                              void *frame)
{
    if (!python_layout_runs_code(layout, frame))
        return true;
    PyObject *code = python_layout_code(layout, frame);
    if (code == atomic_load_explicit(&shim_code, memory_order_relaxed))
        return true;
    PyObject **locals = (PyObject **)((char *)frame + layout->frame_locals);
    return walk_push(walk, code, locals, python_layout_instruction(layout, frame, code));
}

static void push_chain(struct python_walk *walk, void *frame)
{
    const struct python_layout layout = *python_layout; // a copy stays in registers
    while (frame && push_frame(walk, &layout, frame))
        frame = python_at(frame, layout.frame_back);
}

static void collect_by_layout(struct python_walk *walk)
{
    void *thread = py.PyGILState_GetThisThreadState();
    if (thread)
        push_chain(walk, python_thread_frame(thread));
}

void python_walk_begin(struct python_walk *walk)
{
    walk->count = 0;
    walk->cut = false;
    walk->seen = 0;
    walk->loop = UINT32_MAX;
    walk->session = walk->connection = NULL;
}

void python_walk_frames(struct python_walk *walk, PyObject *object, bool callers)
{
    void *frame =
        python_layout->object_frame < 0 ? object : python_at(object, python_layout->object_frame);
    if (frame && callers)
        push_chain(walk, frame);
    else if (frame)
        (void)push_frame(walk, python_layout, frame);
}

void python_walk_add(struct python_walk *walk, PyObject *frame)
{
    py.Py_IncRef(frame);
    while (frame && frame != py._Py_NoneStruct) {
        PyObject *code = python_attribute(frame, "f_code");
        int instruction = (int)python_attribute_long(frame, "f_lasti", -1);
        PyObject *back = python_attribute(frame, "f_back");
        py.Py_DecRef(frame);
        frame = back;
        if (!code)
            break;
        bool room = walk_push(walk, code, NULL, instruction);
        py.Py_DecRef(code); // the frame keeps it
        if (!room)
            break;
    }
    python_drop(frame);
}

void python_walk_collect(struct python_walk *walk)
{
    python_walk_begin(walk);
    if (python_finalizing() && !python_holds_gil())
        return; // this thread's state may be gone
    if (atomic_load_explicit(&python_layout_trusted, memory_order_relaxed)) {
        collect_by_layout(walk);
    } else if (python_holds_gil()) {
        PyObject *frame = py.PyEval_GetFrame();
        if (frame)
            python_walk_add(walk, frame);
    }
}

void python_frames_use(const struct python_walk *walk)
{
    walk_in_use = walk;
}

// The slot to look at first; the others of its group are at way_of(first, 1) and so on.
static inline size_t slot_of(const PyObject *code, int instruction)
{
    uint64_t key = ((uint64_t)(uintptr_t)code >> 4) * 31 + (uint32_t)instruction;
    return (size_t)((key * UINT64_C(0x9e3779b97f4a7c15)) >> 51);
}

static inline struct location_slot *way_of(size_t first, unsigned way)
{
    return &location_slots[first ^ way];
}

// Code that is made, run and thrown away, and made again, may have all its parts where the one
// before had them: the text of its file name tells them apart.
static uint64_t file_hash(const PyObject *code)
{
    char text[256];
    uint64_t hash = UINT64_C(0xcbf29ce484222325); // FNV-1a
    if (!python_text_copy(python_at(code, python_layout->code_filename), text, sizeof text))
        return 0;
    for (const char *at = text; *at; at++)
        hash = (hash ^ (unsigned char)*at) * UINT64_C(0x100000001b3);
    return hash;
}

// The location of a frame if this slot has it. *kept: the slot holds a reference.
static inline uint32_t slot_read(struct location_slot *slot, const PyObject *code, int instruction,
                                 bool *kept)
{
    uint32_t before = atomic_load_explicit(&slot->sequence, memory_order_acquire);
    bool same = slot->code == code && slot->instruction == instruction &&
                slot->generation == recorder_generation;
    if ((before & 1) || !same)
        return TRACE_NONE;
    uint32_t location = slot->location;
    const void *filename = slot->filename, *name = slot->name, *linetable = slot->linetable;
    const uint64_t file = slot->file;
    *kept = slot->kept;
    atomic_thread_fence(memory_order_acquire);
    if (atomic_load_explicit(&slot->sequence, memory_order_relaxed) != before)
        return TRACE_NONE;
    same = *kept ||
           (filename == python_at(code, python_layout->code_filename) &&
            name == python_at(code, python_layout->code_name) &&
            linetable == python_at(code, python_layout->code_linetable) && file == file_hash(code));
    return same ? location : TRACE_NONE;
}

// keep: the GIL is held, a reference may be taken. false: the slot is not to be had.
static bool slot_write(struct location_slot *slot, PyObject *code, int instruction,
                       uint32_t location, bool keep)
{
    uint32_t before = atomic_load_explicit(&slot->sequence, memory_order_relaxed);
    bool taken = slot->kept && slot->generation == recorder_generation && slot->code != code;
    if (taken || (before & 1) ||
        !atomic_compare_exchange_strong(&slot->sequence, &before, before + 1))
        return false;
    if (keep && !(slot->kept && slot->code == code))
        py.Py_IncRef(code);
    slot->kept = keep;
    slot->code = code;
    slot->instruction = instruction;
    slot->generation = recorder_generation;
    slot->location = location;
    slot->filename = python_at(code, python_layout->code_filename);
    slot->name = python_at(code, python_layout->code_name);
    slot->linetable = python_at(code, python_layout->code_linetable);
    slot->file = file_hash(code);
    atomic_store_explicit(&slot->sequence, before + 2, memory_order_release);
    return true;
}

// *kept: the code object stays alive; never set without `keep`.
static uint32_t frame_location(const struct python_walk_frame *frame, bool keep, bool *kept)
{
    *kept = false;
    keep = keep && !python_keeps_nothing();
    if (!atomic_load_explicit(&python_layout_trusted, memory_order_relaxed))
        return python_location(frame);
    size_t first = slot_of(frame->code, frame->instruction);
    for (unsigned way = 0; way < WAYS; way++) {
        struct location_slot *slot = way_of(first, way);
        uint32_t location = slot_read(slot, frame->code, frame->instruction, kept);
        if (location == TRACE_NONE)
            continue;
        if (keep && !*kept)
            *kept = slot_write(slot, frame->code, frame->instruction, location, true);
        return location;
    }
    *kept = false;
    if (python_layout_is_shim(python_layout, frame->code)) {
        atomic_store(&shim_code, frame->code);
        return TRACE_NONE;
    }
    uint32_t location = python_location(frame);
    for (unsigned way = 0; way < WAYS && location != TRACE_NONE; way++)
        if (slot_write(way_of(first, way), frame->code, frame->instruction, location, keep)) {
            *kept = keep;
            break;
        }
    return location;
}

// Translates a walk; all_kept (NULL: the GIL may not be held): whether each frame has a location
// and a code object that stays alive.
static void translate(const struct python_walk *walk, struct stack *stack, bool *all_kept)
{
    bool every = true;
    for (uint32_t i = 0; i < walk->count && stack->count < STACK_FRAMES; i++) {
        bool kept;
        uint32_t location = frame_location(&walk->frames[i], all_kept != NULL, &kept);
        if (location != TRACE_NONE)
            stack->frames[stack->count++] = TRACE_FRAME_LOCATION | location;
        every &= kept && location != TRACE_NONE;
    }
    if (all_kept)
        *all_kept = every;
}

// The stack of a walk alone. Result: what is remembered of the walk now; NULL: nothing.
static struct python_walk_memo *translate_alone(const struct python_walk *walk, struct stack *stack)
{
    bool all_kept;
    struct python_walk_memo *memo = python_walk_memo_find(walk);
    stack->count = 0;
    stack->cut = walk->cut;
    stack->hash = 0;
    if (memo) {
        stack->count = memo->count;
        memcpy(stack->frames, memo->locations, memo->count * sizeof memo->locations[0]);
        return memo;
    }
    translate(walk, stack, &all_kept);
    return all_kept ? python_walk_memo_store(walk, stack->frames) : NULL;
}

uint32_t python_frames_intern(const struct python_walk *walk, uint64_t now_ns)
{
    struct stack stack;
    struct python_walk_memo *memo = python_walk_memo_find(walk);
    if (memo && memo->stack != TRACE_NONE)
        return memo->stack;
    memo = translate_alone(walk, &stack);
    uint32_t reference = stack.count ? stack_intern(&stack, now_ns) : TRACE_NONE;
    if (memo)
        memo->stack = reference;
    return reference;
}

void python_frames_append(struct stack *stack)
{
    struct python_walk own;
    if (walk_in_use && stack->count == 0) { // who has collected frames holds the GIL
        (void)translate_alone(walk_in_use, stack);
        return;
    }
    python_walk_collect(&own);
    translate(&own, stack, NULL);
    stack->cut |= own.cut;
}

static void drop_codes(void)
{
    for (size_t i = 0; i < MARK_PLACES; i++)
        python_drop(marks[i].code);
    for (size_t i = 0; i < LOCATION_SLOTS; i++)
        if (location_slots[i].kept)
            py.Py_DecRef((PyObject *)(uintptr_t)location_slots[i].code);
}

void python_frames_forget(void)
{
    memset(marks, 0, sizeof marks);
    atomic_store(&shim_code, NULL);
    python_walk_memo_forget();
    for (size_t i = 0; i < LOCATION_SLOTS; i++) {
        struct location_slot *slot = &location_slots[i];
        uint32_t before = atomic_load_explicit(&slot->sequence, memory_order_relaxed);
        if ((before & 1) || !atomic_compare_exchange_strong(&slot->sequence, &before, before + 1))
            continue;
        slot->code = NULL;
        slot->kept = false;
        atomic_store_explicit(&slot->sequence, before + 2, memory_order_release);
    }
}

void python_frames_drop(void)
{
    drop_codes();
    python_frames_forget();
}
