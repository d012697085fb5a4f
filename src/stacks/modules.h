// What is mapped into a live process: its programs and libraries, and their files.
//
// Reads /proc/PID/maps, not the dynamic linker's list: unwinding needs every module, the vDSO and
// those of other namespaces too. Knows nothing of threads. Not thread-safe.
#ifndef UNCLOSED_STACKS_MODULES_H
#define UNCLOSED_STACKS_MODULES_H

#include <stdint.h>

#include "attach/target.h"
#include "report/code/memory.h"

struct modules_part { // one mapping
    uint64_t start, end;
    uint64_t offset; // in the file
};

struct modules_entry {
    uint64_t start, end; // from the first of its mappings to the last
    uint64_t bias;       // address = ELF virtual address + bias
    uint64_t inode;      // 0: no file
    const char *path;    // without " (deleted)"; "[vdso]"
    LIST(struct modules_part) parts;
};

struct modules {
    LIST(struct modules_entry) list; // in the order of addresses
    LIST(uint64_t) ends;             // of all mappings, stacks too, in that order
};

// Result: 0 or -errno.
int modules_read(struct arena *arena, const struct target *target, struct modules *modules);

// The end of the mapping at an address, or of the next one: a stack may have grown since. 0: none.
uint64_t modules_mapping_end(const struct modules *modules, uint64_t address);

// Opens the file of a module: through the root of the process, under its own name, or through
// /proc/PID/map_files; only if it is the file that is mapped. Result: a descriptor or -1.
int modules_open(struct arena *arena, const struct target *target,
                 const struct modules_entry *module);

// What of a file is in memory, put together where no file can be opened; *bytes is its size. NULL:
// unreadable.
void *modules_image(struct arena *arena, const struct target *target,
                    const struct modules_entry *module, size_t *bytes);

#endif
