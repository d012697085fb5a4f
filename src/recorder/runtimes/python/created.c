// Open addressing, grown by mapping a larger table: see created.h.
#include "recorder/runtimes/python/created.h"

#include <stddef.h>
#include <sys/mman.h>

#include "recorder/core/recorder.h"

struct created {
    uint64_t object; // 0: free
    uint32_t stack, generation;
    uint32_t slot, uses; // of the session held: a slot is used again, `uses` counts that
};

enum { FIRST_BITS = 8, MOST_BITS = 24 };
static struct created *table;
static unsigned bits;
static size_t used;

static struct created *place_of(struct created *in, unsigned in_bits, uint64_t object)
{
    size_t mask = ((size_t)1 << in_bits) - 1;
    size_t i = (size_t)(object >> 4) * UINT64_C(0x9e3779b97f4a7c15) >> (64 - in_bits);
    while (in[i].object && in[i].object != object)
        i = (i + 1) & mask;
    return &in[i];
}

static bool grow(void)
{
    unsigned larger = bits ? bits + 1 : FIRST_BITS;
    if (larger > MOST_BITS)
        return false;
    void *memory = mmap(NULL, sizeof(struct created) << larger, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED)
        return false;
    struct created *fresh = memory;
    for (size_t i = 0; bits && i < (size_t)1 << bits; i++)
        if (table[i].object)
            *place_of(fresh, larger, table[i].object) = table[i];
    if (table)
        munmap(table, sizeof(struct created) << bits);
    table = fresh;
    bits = larger;
    return true;
}

// The place of an object in the trace of this process, with nothing known of it yet if it is new.
static struct created *place_for(PyObject *object)
{
    if ((!bits || used * 4 >= ((size_t)3 << bits)) && !grow()) {
        recorder_lost(TRACE_LOST_MEMORY);
        return NULL;
    }
    struct created *place = place_of(table, bits, (uint64_t)(uintptr_t)object);
    used += place->object == 0;
    if (!place->object || place->generation != recorder_generation)
        *place = (struct created){.object = (uint64_t)(uintptr_t)object,
                                  .generation = recorder_generation};
    return place;
}

static const struct created *find(PyObject *object)
{
    if (!bits)
        return NULL;
    const struct created *place = place_of(table, bits, (uint64_t)(uintptr_t)object);
    return place->object && place->generation == recorder_generation ? place : NULL;
}

void python_created_note(PyObject *object, uint32_t stack)
{
    struct created *place = place_for(object);
    if (!place)
        return;
    place->stack = stack;
    place->slot = TRACE_NONE;
}

uint32_t python_created_find(PyObject *object)
{
    const struct created *place = find(object);
    return place ? place->stack : TRACE_NONE;
}

void python_created_hold(PyObject *object, uint32_t slot)
{
    const struct trace_session *record = trace_record(&recorder_trace, TRACE_SESSIONS, slot);
    struct created *place = record ? place_for(object) : NULL;
    if (!place)
        return;
    place->slot = slot;
    place->uses = record->generation;
}

struct trace_session *python_created_session(PyObject *object)
{
    const struct created *place = find(object);
    struct trace_session *record =
        place ? trace_record(&recorder_trace, TRACE_SESSIONS, place->slot) : NULL;
    if (!record || record->generation != place->uses)
        return NULL;
    uint32_t state = __atomic_load_n(&record->state, __ATOMIC_ACQUIRE);
    bool reclaimed = state == TRACE_SLOT_FREE && (record->flags & TRACE_SESSION_RECLAIMED);
    return state == TRACE_SLOT_LIVE || reclaimed ? record : NULL;
}
