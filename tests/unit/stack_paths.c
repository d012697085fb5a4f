// Functions that call each other in an order that is told, with frames of all kinds: small, large,
// of a size known only at run time, with and without a frame pointer, aligned.
#include "stack_paths.h"

#include <alloca.h>
#include <string.h>

#define WAY __attribute__((noinline)) static int

WAY small_frame(uint32_t path, int depth, int (*there)(void))
{
    return stack_paths_walk(path, depth, there) + 1;
}

WAY large_frame(uint32_t path, int depth, int (*there)(void))
{
    volatile char room[512];
    room[depth] = (char)path; // the rest stays what it was: old frames show through
    return stack_paths_walk(path, depth, there) + room[depth];
}

WAY sized_at_run_time(uint32_t path, int depth, int (*there)(void))
{
    volatile char *room = alloca(16 + path % 7 * 24);
    room[0] = (char)path;
    return stack_paths_walk(path, depth, there) + room[0];
}

WAY aligned_frame(uint32_t path, int depth, int (*there)(void))
{
    _Alignas(64) volatile char room[64];
    room[depth % 64] = 1;
    return stack_paths_walk(path, depth, there) + room[depth % 64];
}

int stack_paths_walk(uint32_t path, int depth, int (*there)(void))
{
    if (depth == 0)
        return there();
    uint32_t rest = path >> 2;
    switch (path & 3) {
    case 0:
        return small_frame(rest, depth - 1, there) + 1;
    case 1:
        return large_frame(rest, depth - 1, there) + 1;
    case 2:
        return sized_at_run_time(rest, depth - 1, there) + 1;
    default:
        return aligned_frame(rest, depth - 1, there) + 1;
    }
}
