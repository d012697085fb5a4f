// uthash as the recorder uses it: memory from the arena, no abort when there is none, and a hash
// that is cheap on whole words. Include this, never <uthash.h>.
#ifndef UNCLOSED_RECORDER_CORE_TABLE_H
#define UNCLOSED_RECORDER_CORE_TABLE_H

#include <stdint.h>
#include <string.h>

#include "recorder/core/arena.h"

// Mixes 64-bit words by multiplication, the upper half folded back after each (the idea of
// wyhash and its kin); two lanes, because each step waits for the one before.
static inline uint64_t hash_words(const uint64_t *words, size_t count)
{
    const uint64_t odd1 = UINT64_C(0x9e3779b97f4a7c15), odd2 = UINT64_C(0xc2b2ae3d27d4eb4f);
    uint64_t a = odd2 ^ count, b = odd1;
    for (; count >= 2; count -= 2, words += 2) {
        a = (a ^ words[0]) * odd1;
        b = (b ^ words[1]) * odd2;
        a ^= a >> 32;
        b ^= b >> 29;
    }
    if (count > 0)
        a = (a ^ words[0]) * odd1;
    a = (a ^ (b >> 31) ^ b) * odd2;
    return a ^ (a >> 32);
}

static inline uint64_t hash_bytes(const void *bytes, size_t count)
{
    const unsigned char *at = bytes;
    uint64_t hash = count, word;
    for (; count >= sizeof word; count -= sizeof word, at += sizeof word) {
        memcpy(&word, at, sizeof word);
        hash = (hash ^ word) * UINT64_C(0x9e3779b97f4a7c15);
        hash ^= hash >> 32;
    }
    word = 0;
    memcpy(&word, at, count);
    hash = (hash ^ word) * UINT64_C(0xc2b2ae3d27d4eb4f);
    return hash ^ (hash >> 32);
}

#define HASH_FUNCTION(key, bytes, value) ((value) = (unsigned)hash_bytes(key, bytes))
#define HASH_NONFATAL_OOM 1 // the entry is then not in the table: hh.tbl is NULL
#define uthash_malloc(bytes) arena_alloc(bytes)
#define uthash_free(block, bytes) arena_free(block, bytes)
#include <uthash.h>

// Empties a table. give_back: into the arena; else its entries are left where they are: after a
// fork they are copies of the parent's memory, which cost nothing as long as nobody writes there.
#define TABLE_RESET(type, head, give_back)                                                         \
    do {                                                                                           \
        type *entry_, *next_;                                                                      \
        if (give_back)                                                                             \
            HASH_ITER (hh, head, entry_, next_) {                                                  \
                HASH_DEL(head, entry_);                                                            \
                arena_free(entry_, sizeof *entry_);                                                \
            }                                                                                      \
        (head) = NULL;                                                                             \
    } while (0)

#endif
