// Open addressing, grown by mapping a larger table: see python_created.h.
#include "recorder/python_created.h"

#include <stddef.h>
#include <sys/mman.h>

#include "recorder/recorder.h"

struct created {
    uint64_t object; // 0: free
    uint32_t stack, generation;
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

void python_created_note(PyObject *object, uint32_t stack)
{
    if ((!bits || used * 4 >= ((size_t)3 << bits)) && !grow()) {
        recorder_lost(TRACE_LOST_MEMORY);
        return;
    }
    struct created *place = place_of(table, bits, (uint64_t)(uintptr_t)object);
    used += place->object == 0;
    *place = (struct created){(uint64_t)(uintptr_t)object, stack, recorder_generation};
}

uint32_t python_created_find(PyObject *object)
{
    if (!bits)
        return TRACE_NONE;
    const struct created *place = place_of(table, bits, (uint64_t)(uintptr_t)object);
    return place->object && place->generation == recorder_generation ? place->stack : TRACE_NONE;
}
