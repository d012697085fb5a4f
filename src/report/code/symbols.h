// Names and lines for addresses, looked up in the files on disk after the fact.
//
// Knows ELF and DWARF (through elfutils' libdw) and nothing of traces, sites or reports.
// Not thread-safe.
#ifndef UNCLOSED_REPORT_CODE_SYMBOLS_H
#define UNCLOSED_REPORT_CODE_SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "report/code/memory.h"

struct symbols; // opaque: the files opened so far and what was found in them

// A file that was mapped into the traced process.
struct symbols_file {
    const char *path;
    const char *stand_in;    // another way to the same file (/proc/PID/root/...), or NULL
    const uint8_t *build_id; // what it has to have; NULL or 0 bytes: not known
    size_t build_id_bytes;
};

// One function at an address: the innermost first, then those it was inlined into.
struct symbol {
    const char *function;  // demangled, without the list of parameters; NULL: not known
    const char *signature; // the same with its parameters, where these are known; else NULL
    const char *file;      // NULL: no debug information
    unsigned line;         // 0: not known
    const char *language;  // "c", "c++", "rust", ...; "native" if not known
    bool inlined;          // into the symbol that follows
};

struct symbols *symbols_new(struct arena *arena);
void symbols_free(struct symbols *symbols); // NULL is fine

// From now on files are opened only if this user may read them, too: see rights.h.
void symbols_restrict(struct symbols *symbols, uid_t uid);

// What is at `address` (an ELF virtual address of that file; for a return address give that - 1).
// Result: at least one symbol; the array and its texts live as long as the arena.
const struct symbol *symbols_find(struct symbols *symbols, const struct symbols_file *file,
                                  uint64_t address, size_t *count);

// Messages about files without the wanted contents ("... was replaced since"), one per file.
size_t symbols_problem_count(const struct symbols *symbols);
const char *symbols_problem(const struct symbols *symbols, size_t index);

// The readable form of a linker's name, without the list of parameters and without the return type
// of a template; `name` itself if it is not mangled. Lives as long as the arena.
// signature: the same with its parameters, or NULL if the name does not tell them; may be NULL.
const char *symbols_demangle(struct arena *arena, const char *name, const char **signature);

#endif
