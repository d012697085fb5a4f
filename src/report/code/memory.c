// Memory of a report: see memory.h.
#include "report/code/memory.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { BLOCK_BYTES = 64 << 10, ALIGN = 16 };

struct block {
    struct block *next;
    size_t used, room;
    _Alignas(ALIGN) char data[];
};

struct arena {
    struct block *blocks;
};

void memory_exhausted(void)
{
    fputs("unclosed: not enough memory for the report; report on fewer traces at once\n", stderr);
    exit(MEMORY_FAILURE);
}

struct arena *arena_new(void)
{
    struct arena *arena = calloc(1, sizeof *arena);
    if (!arena)
        memory_exhausted();
    return arena;
}

void arena_free(struct arena *arena)
{
    if (!arena)
        return;
    while (arena->blocks) {
        struct block *next = arena->blocks->next;
        free(arena->blocks);
        arena->blocks = next;
    }
    free(arena);
}

static struct block *block_new(size_t bytes)
{
    size_t room = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
    struct block *block = room > SIZE_MAX - sizeof *block ? NULL : calloc(1, sizeof *block + room);
    if (!block)
        memory_exhausted();
    block->room = room;
    return block;
}

void *arena_take(struct arena *arena, size_t bytes)
{
    if (bytes > SIZE_MAX - ALIGN)
        memory_exhausted();
    bytes = (bytes + ALIGN - 1) / ALIGN * ALIGN;
    struct block *block = arena->blocks;
    if (!block || block->room - block->used < bytes) {
        block = block_new(bytes);
        block->next = arena->blocks;
        arena->blocks = block;
    }
    void *taken = block->data + block->used;
    block->used += bytes;
    return taken;
}

char *arena_text_part(struct arena *arena, const char *text, size_t bytes)
{
    char *copy = arena_take(arena, bytes + 1);
    memcpy(copy, text, bytes);
    return copy;
}

char *arena_text(struct arena *arena, const char *text)
{
    return arena_text_part(arena, text, strlen(text));
}

char *arena_format(struct arena *arena, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    char *text = NULL;
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (length < 0)
        memory_exhausted();
    char *copy = arena_text_part(arena, text, (size_t)length);
    free(text);
    return copy;
}

void list_sort(void *items, size_t count, size_t bytes, int (*compare)(const void *, const void *))
{
    if (count > 1) // qsort must not be given NULL
        qsort(items, count, bytes, compare);
}

void *arena_grow(struct arena *arena, void *items, size_t count, size_t *room, size_t bytes)
{
    if (count < *room)
        return items;
    size_t wanted = *room ? *room * 2 : 8;
    if (wanted > SIZE_MAX / bytes)
        memory_exhausted();
    void *grown = arena_take(arena, wanted * bytes);
    if (count > 0)
        memcpy(grown, items, count * bytes);
    *room = wanted;
    return grown;
}
