// A map from addresses to addresses that is read and written without a lock.
//
// For what is looked up within calls that take a microsecond. Only growth takes a lock. Knows not
// what the addresses are of.
#ifndef UNCLOSED_RECORDER_CORE_POINTER_MAP_H
#define UNCLOSED_RECORDER_CORE_POINTER_MAP_H

#include <stdbool.h>
#include <stdint.h>

#include "trace/lock.h"

struct pointer_table;

struct pointer_map {
    struct pointer_table *_Atomic first;
    struct lock growth; // taken around fork by process.c
};

// All of these: thread-safe. All but pointer_map_put: async-signal-safe. key: an address, neither 0
// nor 1.

// The value of `key`; NULL: it is not in the map.
void *pointer_map_find(struct pointer_map *map, uint64_t key);

// Adds `key`, which must not be in the map, with `value`, which is not NULL. false: no memory.
bool pointer_map_put(struct pointer_map *map, uint64_t key, void *value);

// Takes `key` out if it has `value`; NULL: whatever it has. Result: what it had, NULL: it was not
// there.
void *pointer_map_take(struct pointer_map *map, uint64_t key, const void *value);

// Takes all out. What others do to the map meanwhile may or may not be undone.
void pointer_map_clear(struct pointer_map *map);

#endif
