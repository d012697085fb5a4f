// Where the recorder's own code is: its frames are left out of stacks, its addresses out of tables.
#ifndef UNCLOSED_RECORDER_STACKS_OWN_CODE_H
#define UNCLOSED_RECORDER_STACKS_OWN_CODE_H

#include <stdbool.h>
#include <stdint.h>

extern struct own_code {
    uint64_t start, bytes;
} own_code;

// Finds out where it is: to be called before anything else. Asks the loader: with no lock held.
void own_code_find(void);

// Whether `address` is in it. Async-signal-safe.
static inline bool own_code_has(uint64_t address)
{
    return address - own_code.start < own_code.bytes;
}

#endif
