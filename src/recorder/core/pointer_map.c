// See pointer_map.h.
//
// Tables of buckets, each four times as large as the one before: a key is in its bucket of one of
// them. A bucket is a line of the processor's cache with keys and one with values. A value is
// written before its key, and a key is looked at again after its value was read.
#include "recorder/core/pointer_map.h"

#include <stddef.h>

#include "recorder/core/arena.h"

enum { KEYS = 8, FIRST_BUCKETS = 64, GROWTH = 4 };
enum { CLAIMED = 1 }; // in place of a key: its value is being written

struct bucket {
    _Atomic uint64_t key[KEYS]; // 0: unused
    void *_Atomic value[KEYS];
};

struct pointer_table {
    struct pointer_table *_Atomic next;
    uint64_t buckets; // a power of two
    uint64_t unused[6];
    struct bucket bucket[];
};

static struct bucket *bucket_of(struct pointer_table *table, uint64_t key)
{
    const uint64_t hash = key * UINT64_C(0x9e3779b97f4a7c15);
    return &table->bucket[(hash >> 32) & (table->buckets - 1)];
}

// A place of a key.
struct place {
    struct bucket *bucket;
    int at;
};

static bool find_place(struct pointer_map *map, uint64_t key, struct place *place)
{
    struct pointer_table *table = atomic_load_explicit(&map->first, memory_order_acquire);
    for (; table; table = atomic_load_explicit(&table->next, memory_order_acquire)) {
        place->bucket = bucket_of(table, key);
        for (place->at = 0; place->at < KEYS; place->at++)
            if (atomic_load_explicit(&place->bucket->key[place->at], memory_order_acquire) == key)
                return true;
    }
    return false;
}

void *pointer_map_find(struct pointer_map *map, uint64_t key)
{
    struct place place;
    if (!find_place(map, key, &place))
        return NULL;
    void *value = atomic_load_explicit(&place.bucket->value[place.at], memory_order_acquire);
    return atomic_load_explicit(&place.bucket->key[place.at], memory_order_relaxed) == key ? value
                                                                                           : NULL;
}

static bool put_into(struct bucket *bucket, uint64_t key, void *value)
{
    for (int i = 0; i < KEYS; i++) {
        uint64_t unused = 0;
        if (atomic_load_explicit(&bucket->key[i], memory_order_relaxed) != 0 ||
            !atomic_compare_exchange_strong(&bucket->key[i], &unused, CLAIMED))
            continue;
        atomic_store_explicit(&bucket->value[i], value, memory_order_relaxed);
        atomic_store_explicit(&bucket->key[i], key, memory_order_release);
        return true;
    }
    return false;
}

// Adds a table behind `last`, unless somebody else has. NULL: no memory.
static struct pointer_table *grow(struct pointer_map *map, struct pointer_table *last)
{
    struct pointer_table *_Atomic *end = last ? &last->next : &map->first;
    lock_take(&map->growth);
    struct pointer_table *table = atomic_load(end);
    if (!table) {
        const uint64_t buckets = last ? last->buckets * GROWTH : FIRST_BUCKETS;
        table = arena_alloc(sizeof *table + buckets * sizeof table->bucket[0]);
        if (table)
            table->buckets = buckets;
        atomic_store_explicit(end, table, memory_order_release);
    }
    lock_give(&map->growth);
    return table;
}

bool pointer_map_put(struct pointer_map *map, uint64_t key, void *value)
{
    struct pointer_table *last = NULL;
    struct pointer_table *table = atomic_load_explicit(&map->first, memory_order_acquire);
    for (;;) {
        if (!table && !(table = grow(map, last)))
            return false;
        if (put_into(bucket_of(table, key), key, value))
            return true;
        last = table;
        table = atomic_load_explicit(&table->next, memory_order_acquire);
    }
}

void *pointer_map_take(struct pointer_map *map, uint64_t key, const void *value)
{
    struct place place;
    if (!find_place(map, key, &place))
        return NULL;
    void *had = atomic_load_explicit(&place.bucket->value[place.at], memory_order_acquire);
    uint64_t expected = key;
    if ((value && had != value) ||
        !atomic_compare_exchange_strong(&place.bucket->key[place.at], &expected, 0))
        return NULL;
    return had;
}

void pointer_map_clear(struct pointer_map *map)
{
    struct pointer_table *table = atomic_load_explicit(&map->first, memory_order_acquire);
    for (; table; table = atomic_load_explicit(&table->next, memory_order_acquire))
        for (uint64_t i = 0; i < table->buckets; i++)
            for (int at = 0; at < KEYS; at++) {
                uint64_t key = atomic_load(&table->bucket[i].key[at]);
                if (key > CLAIMED)
                    (void)atomic_compare_exchange_strong(&table->bucket[i].key[at], &key, 0);
            }
}
