// The recorder's own memory: see arena.h. Knows nothing of what is kept in it.
#include "recorder/core/arena.h"

#include "recorder/core/lock_order.h"
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    SMALLEST = 16,
    CLASS_STEPS = 4, // size classes per power of two: at most a quarter of a block is unused
    CLASSES = 4 * 40,
    REGION_BYTES = 256 << 10, // what is taken from the kernel at once
};

struct lock arena_lock = LOCK_OF(LOCK_ARENA);

struct free_block {
    struct free_block *next;
};
static struct free_block *free_blocks[CLASSES];
static char *region, *region_end;
static bool sealed;

// The class of a size, and the size of all blocks in it.
static int size_class(size_t bytes, size_t *rounded)
{
    size_t power = SMALLEST;
    int class = 0;
    while (power * 2 <= bytes) {
        power *= 2;
        class += CLASS_STEPS;
    }
    size_t step = power / CLASS_STEPS;
    size_t size = power;
    while (size < bytes) {
        size += step;
        class ++;
    }
    *rounded = (size + SMALLEST - 1) / SMALLEST * SMALLEST;
    return class;
}

static char *map_region(size_t bytes)
{
    long address =
        syscall(SYS_mmap, NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0L);
    return address == -1 ? NULL : (char *)address; // NOLINT(performance-no-int-to-ptr)
}

static void *carve(size_t bytes)
{
    if ((size_t)(region_end - region) < bytes) {
        if (sealed)
            return NULL;
        if (bytes > REGION_BYTES / 4)
            return map_region((bytes + 4095) / 4096 * 4096);
        char *fresh = map_region(REGION_BYTES);
        if (!fresh)
            return NULL;
        region = fresh;
        region_end = fresh + REGION_BYTES;
    }
    void *block = region;
    region += bytes;
    return block;
}

void arena_seal(size_t bytes)
{
    lock_take(&arena_lock);
    char *fresh = map_region(bytes);
    if (fresh) {
        region = fresh;
        region_end = fresh + bytes;
    }
    sealed = true;
    lock_give(&arena_lock);
}

void *arena_alloc(size_t bytes)
{
    size_t rounded;
    int class = size_class(bytes, &rounded);
    if (class >= CLASSES)
        return NULL;
    lock_take(&arena_lock);
    struct free_block *block = free_blocks[class];
    if (block)
        free_blocks[class] = block->next;
    else
        block = carve(rounded);
    lock_give(&arena_lock);
    if (block)
        memset(block, 0, bytes);
    return block;
}

void arena_free(void *block, size_t bytes)
{
    if (!block)
        return;
    size_t rounded;
    int class = size_class(bytes, &rounded);
    struct free_block *freed = block;
    lock_take(&arena_lock);
    freed->next = free_blocks[class];
    free_blocks[class] = freed;
    lock_give(&arena_lock);
}
