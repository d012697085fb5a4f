// uthash as the recorder uses it: memory from the arena, no abort when there is none, and a hash
// that is cheap on whole words. Include this, never <uthash.h>.
#ifndef UNCLOSED_RECORDER_CORE_TABLE_H
#define UNCLOSED_RECORDER_CORE_TABLE_H

#include <stdint.h>
#include <string.h>

#include "recorder/core/arena.h"
#include "recorder/core/hash.h"

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
