// Reading memory of the program that may not be there.
#ifndef UNCLOSED_RECORDER_CORE_PEEK_H
#define UNCLOSED_RECORDER_CORE_PEEK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// Asks the kernel whether the page at this address can be read. Keeps errno.
bool peek_page(uint64_t page);

// The word at `address`. near: an address on this thread's stack, below the caller's frames; pages
// above it are asked about only once in a while. false: it cannot be read.
bool peek_word(uint64_t address, uint64_t near, uint64_t *value);

// Whether a NUL-terminated string of less than `most` bytes begins at `address`.
bool peek_text(uint64_t address, size_t most);

#endif
