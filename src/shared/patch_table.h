// The patched entries of a process: what the recorder and the command line, which writes and
// restores them in a live process, both have to know.
//
// The recorder exports the table as `unclosed_patches`; the command line reads it in the process's
// memory. Patching a running program means: all threads are stopped, none is inside of `bytes`,
// what is there is still the original; then `moved` goes to `*target_slot` and `jump` to `address`,
// in this order.
#ifndef UNCLOSED_SHARED_PATCH_TABLE_H
#define UNCLOSED_SHARED_PATCH_TABLE_H

#include <stdint.h>

enum { PATCH_TABLE_RECORDS = 128, PATCH_BYTES = 20, PATCH_JUMP_BYTES = 5 };

enum patch_state {
    PATCH_UNUSED = 0,
    PATCH_KNOWN,    // was patched once
    PATCH_PREPARED, // is to be patched
    PATCH_WRITTEN,
};

struct patch_record {
    uint64_t address;           // of the first byte that is replaced
    uint64_t target_slot;       // address of the word that says where the wrapper goes on
    uint64_t moved, plain;      // what it has to say while patched, and otherwise
    uint8_t bytes[PATCH_BYTES]; // whole instructions, as they were
    uint8_t displaced;          // how many bytes
    uint8_t jump[PATCH_JUMP_BYTES];
    uint8_t state; // enum patch_state
    uint8_t good;  // enum trace_patch: what is true once it is written
    uint8_t unused[4];
};

struct patch_table {
    uint32_t version; // PATCH_TABLE_VERSION
    uint32_t count;   // records in use, from the first one on
    struct patch_record records[PATCH_TABLE_RECORDS];
};

enum { PATCH_TABLE_VERSION = 1 };

#endif
