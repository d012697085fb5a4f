// A live process seen from outside: its memory and its loaded modules.
//
// Reads the dynamic linker's own lists in the target's memory (auxiliary vector, PT_DYNAMIC,
// DT_DEBUG, link_map, DT_GNU_HASH), never a file of the target, so that it works across mount
// namespaces and for deleted files. Knows nothing of ptrace. Not thread-safe.
#ifndef UNCLOSED_ATTACH_TARGET_H
#define UNCLOSED_ATTACH_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "attach/failure.h"

enum { MODULE_BUILD_ID_BYTES = 32 };

struct module {
    uint64_t base;    // load bias: what is added to the addresses in the file
    uint64_t dynamic; // address of its dynamic section
    uint64_t link;    // address of its struct link_map
    uint64_t headers; // address of its program headers; 0: not found
    uint32_t header_count;
    uint64_t symbols, strings, hash; // addresses of DT_SYMTAB, DT_STRTAB, DT_GNU_HASH; or 0
    uint64_t text_low, text_high;    // bounds of its executable segments; 0, 0: not known
    char *name;                      // as the dynamic linker knows it; "" for the executable
};

struct target {
    pid_t pid;
    int memory;       // /proc/PID/mem; stays with the memory it had when opened, also over an exec
    uint64_t headers; // AT_PHDR
    uint64_t header_count;
    uint64_t interpreter;   // AT_BASE
    struct module *modules; // in the order of symbol look-up, executable first
    size_t module_count;
    const struct module *libc, *loader; // glibc and ld.so among them, or NULL
};

// Opens the target's memory. Result: 0, or -errno with *failure filled in.
int target_open(struct target *target, pid_t pid, struct failure *failure);
void target_close(struct target *target);

// Exactly `bytes` bytes. Result: 0, or -errno; -ESRCH if that memory is gone (exit or exec).
// Writing reaches pages that are not writable for the target itself, too.
int target_read(const struct target *target, uint64_t address, void *data, size_t bytes);
int target_write(const struct target *target, uint64_t address, const void *data, size_t bytes);

// As many as can be read of `bytes` bytes: up to the first page that is not there or not readable
// for the target. Result: their number.
size_t target_read_part(const struct target *target, uint64_t address, void *data, size_t bytes);

// A NUL-terminated text, cut at `bytes` - 1. Result: 0 or -errno.
int target_read_text(const struct target *target, uint64_t address, char *text, size_t bytes);

// Reads the list of modules anew. Result: 0 or -errno with *failure filled in.
int target_load_modules(struct target *target, struct failure *failure);

// Adds the module of the struct link_map at `link`, e.g. what dlopen returned. NULL: unreadable.
const struct module *target_add_module(struct target *target, uint64_t link);

// Address of a symbol that `module` defines, or 0. `size`: its size, or NULL.
uint64_t module_symbol(const struct target *target, const struct module *module, const char *name,
                       uint64_t *size);

// Address of the first definition in the order of the list, or 0.
uint64_t target_symbol(const struct target *target, const char *name);

// Address of these bytes in the executable segments of `module`, a multiple of `align`; 0: they are
// not there.
uint64_t module_find_code(const struct target *target, const struct module *module,
                          const uint8_t *bytes, size_t length, size_t align);

// Copies the GNU build-id. Result: its length, 0 if there is none.
size_t module_build_id(const struct target *target, const struct module *module,
                       uint8_t id[MODULE_BUILD_ID_BYTES]);

#endif
