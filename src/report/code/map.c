// A map from bytes to pointers: see map.h.
#include "report/code/map.h"

#define uthash_fatal(message) memory_exhausted()
#include <uthash.h>

struct map_entry {
    const void *key;
    void *value;
    UT_hash_handle hh;
};

// NOLINTBEGIN(readability-function-size): uthash's macros are long

void *map_get(const struct map *map, const void *key, size_t bytes)
{
    struct map_entry *entry;
    HASH_FIND(hh, map->entries, key, bytes, entry);
    return entry ? entry->value : NULL;
}

void map_add(struct arena *arena, struct map *map, const void *key, size_t bytes, void *value)
{
    struct map_entry *entry = arena_take(arena, sizeof *entry);
    entry->key = arena_text_part(arena, key, bytes);
    entry->value = value;
    HASH_ADD_KEYPTR(hh, map->entries, entry->key, bytes, entry);
}

// NOLINTEND(readability-function-size)

void *map_get_text(const struct map *map, const char *key)
{
    return map_get(map, key, strlen(key));
}

void map_add_text(struct arena *arena, struct map *map, const char *key, void *value)
{
    map_add(arena, map, key, strlen(key), value);
}

void map_each(const struct map *map, void (*visit)(void *value, void *data), void *data)
{
    for (const struct map_entry *entry = map->entries; entry; entry = entry->hh.next)
        visit(entry->value, data);
}

void map_clear(struct map *map)
{
    HASH_CLEAR(hh, map->entries);
}
