// A map from bytes to pointers, for whatever a report looks up by key.
//
// Knows nothing of what it holds. Not thread-safe.
#ifndef UNCLOSED_REPORT_CODE_MAP_H
#define UNCLOSED_REPORT_CODE_MAP_H

#include <stddef.h>

#include "report/code/memory.h"

struct map { // {0} is an empty one
    struct map_entry *entries;
};

// The value of a key, or NULL.
void *map_get(const struct map *map, const void *key, size_t bytes);
void *map_get_text(const struct map *map, const char *key);

// Adds a key that is not there yet. The key is copied into the arena; the value is not.
void map_add(struct arena *arena, struct map *map, const void *key, size_t bytes, void *value);
void map_add_text(struct arena *arena, struct map *map, const char *key, void *value);

// Calls `visit` for each value, in the order in which they were added.
void map_each(const struct map *map, void (*visit)(void *value, void *data), void *data);

// Gives back the table; values and keys belong to the arena.
void map_clear(struct map *map);

#endif
