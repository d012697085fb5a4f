// Frames of a language as locations of the trace, with a cache: see locations.h.
#include "recorder/runtimes/locations.h"

#include <stdatomic.h>
#include <string.h>

#include "recorder/core/intern.h"
#include "recorder/core/recorder.h"

// A slot is a sequence lock: written and read by any thread; one that was being written during a
// fork stays odd in the child and is then merely never used. Code is freed and its address used
// again, so the texts decide, which the trace keeps.
struct slot {
    atomic_uint sequence;
    uint32_t location, generation, line;
    uint64_t stamp;
    const void *code;
    const char *file, *function; // in the trace
    uint32_t file_bytes, function_bytes;
} __attribute__((aligned(64)));

enum { SLOTS = 2048, NAME_BYTES = 512 };
static struct slot slots[SLOTS];

static inline struct slot *slot_of(const void *code, uint32_t line)
{
    uint64_t key = ((uint64_t)(uintptr_t)code >> 4) * 31 + line;
    return &slots[(key * UINT64_C(0x9e3779b97f4a7c15)) >> 53];
}
_Static_assert(SLOTS == 1 << (64 - 53), "slot_of gives all of them");

static inline struct runtime_text function_of(const struct runtime_place *place)
{
    if (place->function.text)
        return place->function;
    return (struct runtime_text){place->otherwise, strlen(place->otherwise)};
}

// Whether a text of the trace is scope, separator and function.
static bool is_name(const char *text, size_t bytes, const struct runtime_place *place)
{
    struct runtime_text function = function_of(place);
    size_t scope = place->scope.text ? place->scope.bytes : 0;
    size_t between = scope ? strlen(place->separator) : 0;
    return bytes == scope + between + function.bytes &&
           (scope == 0 || (memcmp(text, place->scope.text, scope) == 0 &&
                           memcmp(text + scope, place->separator, between) == 0)) &&
           memcmp(text + scope + between, function.text, function.bytes) == 0;
}

static uint32_t slot_read(struct slot *slot, const struct runtime_place *place)
{
    uint32_t before = atomic_load_explicit(&slot->sequence, memory_order_acquire);
    struct slot copy = {
        .location = slot->location,
        .generation = slot->generation,
        .line = slot->line,
        .code = slot->code,
        .file = slot->file,
        .function = slot->function,
        .file_bytes = slot->file_bytes,
        .function_bytes = slot->function_bytes,
    };
    atomic_thread_fence(memory_order_acquire);
    if ((before & 1) || atomic_load_explicit(&slot->sequence, memory_order_relaxed) != before ||
        copy.generation != recorder_generation || copy.code != place->code ||
        copy.line != place->line || copy.file_bytes != place->file.bytes)
        return TRACE_NONE;
    bool same = memcmp(copy.file, place->file.text, place->file.bytes) == 0 &&
                is_name(copy.function, copy.function_bytes, place);
    return same ? copy.location : TRACE_NONE;
}

uint32_t runtime_location_known(const void *code, uint32_t line, uint64_t stamp)
{
    const struct slot *slot = slot_of(code, line);
    uint32_t before = atomic_load_explicit(&slot->sequence, memory_order_acquire);
    bool same = slot->code == code && slot->line == line && slot->stamp == stamp &&
                slot->generation == recorder_generation;
    uint32_t location = slot->location;
    atomic_thread_fence(memory_order_acquire);
    bool whole =
        !(before & 1) && atomic_load_explicit(&slot->sequence, memory_order_relaxed) == before;
    return same && whole ? location : TRACE_NONE;
}

static void slot_write(struct slot *slot, const struct runtime_place *place, uint32_t file,
                       uint32_t function, uint32_t location)
{
    uint32_t before = atomic_load_explicit(&slot->sequence, memory_order_relaxed);
    if ((before & 1) || !atomic_compare_exchange_strong(&slot->sequence, &before, before + 1))
        return;
    slot->location = location;
    slot->generation = recorder_generation;
    slot->line = place->line;
    slot->code = place->code;
    slot->stamp = place->stamp;
    slot->file = trace_string(&recorder_trace, file);
    slot->function = trace_string(&recorder_trace, function);
    slot->file_bytes = (uint32_t)strlen(slot->file);
    slot->function_bytes = (uint32_t)strlen(slot->function);
    atomic_store_explicit(&slot->sequence, before + 2, memory_order_release);
}

// The same texts again, after what the stamp says has changed.
static void slot_restamp(struct slot *slot, const struct runtime_place *place)
{
    uint32_t before = atomic_load_explicit(&slot->sequence, memory_order_relaxed);
    if ((before & 1) || !atomic_compare_exchange_strong(&slot->sequence, &before, before + 1))
        return;
    // Another thread may have taken the slot for another place meanwhile.
    if (slot->code == place->code && slot->line == place->line)
        slot->stamp = place->stamp;
    atomic_store_explicit(&slot->sequence, before + 2, memory_order_release);
}

static size_t put(char *name, size_t used, const char *text, size_t bytes)
{
    if (bytes > NAME_BYTES - used)
        bytes = NAME_BYTES - used;
    memcpy(name + used, text, bytes);
    return used + bytes;
}

static uint32_t intern_name(const struct runtime_place *place)
{
    struct runtime_text function = function_of(place);
    if (!place->scope.text || place->scope.bytes == 0)
        return name_intern_bytes(function.text, function.bytes);
    char name[NAME_BYTES];
    size_t used = put(name, 0, place->scope.text, place->scope.bytes);
    used = put(name, used, place->separator, strlen(place->separator));
    used = put(name, used, function.text, function.bytes);
    return name_intern_bytes(name, used);
}

uint32_t runtime_location(const struct runtime_place *place)
{
    struct slot *slot = slot_of(place->code, place->line);
    uint32_t location = slot_read(slot, place);
    if (location != TRACE_NONE) {
        if (place->stamp)
            slot_restamp(slot, place);
        return location;
    }
    uint32_t file = name_intern_bytes(place->file.text, place->file.bytes);
    uint32_t function = intern_name(place);
    if (file == TRACE_NONE || function == TRACE_NONE)
        return TRACE_NONE;
    location = location_intern(file, function, place->line, place->language);
    if (location != TRACE_NONE)
        slot_write(slot, place, file, function, location);
    return location;
}
