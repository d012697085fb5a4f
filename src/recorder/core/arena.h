// The recorder's own memory: never malloc, which the program may have replaced, may be inside of
// when a signal comes, or may have left locked in a forked child.
//
// Blocks come from anonymous mappings and are reused by size class; nothing is returned to the
// kernel. Thread-safe; not async-signal-safe.
#ifndef UNCLOSED_RECORDER_CORE_ARENA_H
#define UNCLOSED_RECORDER_CORE_ARENA_H

#include "trace/lock.h"
#include <stddef.h>

extern struct lock arena_lock; // taken around fork by process.c

// `bytes` zeroed bytes aligned to 16, or NULL.
void *arena_alloc(size_t bytes);

// Gives back a block of arena_alloc; `bytes` as it was asked for. NULL is ignored.
void arena_free(void *block, size_t bytes);

// Takes `bytes` from the kernel, and nothing any more after that.
void arena_seal(size_t bytes);

#endif
