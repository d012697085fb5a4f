// See slots.h.
#include "slots.h"

#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

struct slots {
    _Atomic uint64_t free; // a bit for each
    char slot[64];
};

struct slots *slots_create(int size)
{
    struct slots *slots = calloc(1, sizeof *slots);
    if (slots != NULL)
        slots_clear(slots, size);
    return slots;
}

static void *take(struct slots *slots)
{
    uint64_t free = atomic_load(&slots->free);
    while (free != 0) {
        if (atomic_compare_exchange_weak(&slots->free, &free, free & (free - 1)))
            return &slots->slot[__builtin_ctzll(free)];
    }
    return NULL;
}

void *slots_get(struct slots *slots)
{
    return take(slots);
}

void *slots_get_with(struct slots *slots, void (*meanwhile)(void *data), void *data)
{
    void *slot = take(slots);
    meanwhile(data);
    return slot;
}

void slots_clear(struct slots *slots, int size)
{
    slots->free = size >= 64 ? UINT64_MAX : (UINT64_C(1) << size) - 1;
}

void slots_put(struct slots *slots, void *slot)
{
    atomic_fetch_or(&slots->free, UINT64_C(1) << ((char *)slot - slots->slot));
}
