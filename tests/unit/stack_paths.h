// Many ways to one place; see stack_paths.c.
#ifndef STACK_PATHS_H
#define STACK_PATHS_H

#include <stdint.h>

// Calls `there` at the end of the path that the bits of `path` describe.
int stack_paths_walk(uint32_t path, int depth, int (*there)(void));

#endif
