// The modules (executable and shared objects) mapped in this process, now and before.
#ifndef UNCLOSED_RECORDER_STACKS_MODULES_H
#define UNCLOSED_RECORDER_STACKS_MODULES_H

#include <link.h>
#include <stdbool.h>
#include <stdint.h>

#include "trace/lock.h"
#include "trace/trace_format.h"

extern struct lock modules_lock; // taken around fork by process.c

enum { MODULE_PATH_BYTES = 1024 };

struct module {
    uint64_t start, end;             // mapped addresses
    uint64_t bias;                   // address = ELF virtual address + bias
    uint64_t text_start, text_end;   // of the first executable segment
    uint32_t text_flags;             // PF_R and so on
    uint64_t relro_start, relro_end; // read-only after relocation; page-aligned
    const ElfW(Dyn) * dynamic;       // NULL: none
    const char *name;                // as the loader knows it: "" for the executable
    const char *path;                // as a reader finds it
    uint64_t mapped_ns, unmapped_ns;
    uint32_t ref; // in the trace; TRACE_NONE: not written yet
    bool mapped, seen, hooked;
    bool jumps;  // it refers to functions by which a signal handler may leave for good
    bool traced; // it calls traced functions
    uint8_t build_id_bytes;
    uint8_t build_id[TRACE_BUILD_ID_BYTES];
};

// Brings the table up to date. Cheap when nothing was loaded or unloaded since. Asks the loader, by
// dl_iterate_phdr: not to be called with a lock held.
bool modules_refresh(void); // whether anything had changed

// Writes all modules of the table into a trace that is being opened.
void modules_write_all(void);

// Calls `visit` for each mapped module that is not hooked yet and marks it; without locks held.
void modules_visit_unhooked(void (*visit)(const struct module *module, void *data), void *data);

// A copy of the module that has `address`; false: none.
bool module_find(uint64_t address, struct module *module);

// The module that has `address` jumps.
void modules_note_jumps(uint64_t address);

// The module that has `address` calls traced functions. How many such were noted so far: whether
// there are new ones. Any thread.
void modules_note_traced(uint64_t address);
unsigned modules_traced(void);

// All modules are to be hooked again (after detach).
void modules_forget_hooks(void);

void modules_reset(void); // another trace begins, with nothing in it

#endif
