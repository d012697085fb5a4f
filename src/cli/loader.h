// Which dynamic linker an ELF file asks for.
#ifndef UNCLOSED_CLI_LOADER_H
#define UNCLOSED_CLI_LOADER_H

#include <elf.h>
#include <stddef.h>

// The path in PT_INTERP, NUL-terminated, cut at `bytes`. fd: the file, open for reading; header:
// its first bytes. Result: 1, 0 if there is none (it is not dynamically linked), -1 if the file
// cannot be made out. Thread-safe.
int loader_of(int fd, const Elf64_Ehdr *header, char *loader, size_t bytes);

#endif
