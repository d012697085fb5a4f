// The functions that a file defines, by name: its symbol tables, those of its separate debug
// information and the compressed one in .gnu_debugdata (all by libdwfl).
#ifndef UNCLOSED_PATCH_SYMBOLS_H
#define UNCLOSED_PATCH_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct function_symbol {
    const char *name;
    uint64_t address, size; // virtual address in the file; size 0: unknown
    bool local;             // nothing outside the file can name it
    bool hidden;            // ... although its source let other files do so
};

// Calls `visit` for each function that the file at `path` defines; the name is valid during the
// call. Result: false if there are only those that the dynamic linker needs. Not thread-safe.
bool function_symbols(const char *path,
                      void (*visit)(const struct function_symbol *symbol, void *data), void *data);

#endif
