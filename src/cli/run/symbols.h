// What an ELF file says of a function: whether calls of it can be seen, and why not.
//
// Files may be anybody's: libelf and libdw check them, and only regular ones are read. Not
// thread-safe.
#ifndef UNCLOSED_CLI_RUN_SYMBOLS_H
#define UNCLOSED_CLI_RUN_SYMBOLS_H

#include <stdbool.h>

enum symbol_place {
    SYMBOL_NOWHERE,
    SYMBOL_INLINED, // only copies inside other functions, by DWARF
    SYMBOL_CLONED,  // only copies under other names: f.constprop.0, f.isra.0, f.part.0
    SYMBOL_LOCAL,   // in the symbol table, for whoever patches its entry
    SYMBOL_DYNAMIC, // in the table of the loader: exported or imported
};

enum { SYMBOL_DETAIL_BYTES = 256 };

// Looks for the function `name` in the file at `path`. The largest of the values above that holds.
// detail: the function that it is inlined in, or the name of the copy; "" otherwise.
enum symbol_place symbol_find(const char *path, const char *name, bool deep,
                              char detail[SYMBOL_DETAIL_BYTES]);

#endif
