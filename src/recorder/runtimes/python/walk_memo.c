// A table without collisions resolved: the later walk takes the place. See walk_memo.h.
#include "recorder/runtimes/python/walk_memo.h"

#include "recorder/core/recorder.h"

enum { MEMO_BITS = 7, HASHED_FRAMES = 6 };
static struct python_walk_memo memos[1 << MEMO_BITS];

// The innermost frames tell most walks apart.
static struct python_walk_memo *memo_of(const struct python_walk *walk)
{
    uint64_t hash = walk->count;
    for (uint32_t i = 0; i < walk->count && i < HASHED_FRAMES; i++) {
        uint64_t frame = (uint64_t)(uintptr_t)walk->frames[i].code >> 4;
        hash = (hash ^ frame ^ (uint64_t)walk->frames[i].instruction << 40) *
               UINT64_C(0x9e3779b97f4a7c15);
    }
    return &memos[hash >> (64 - MEMO_BITS)];
}

struct python_walk_memo *python_walk_memo_find(const struct python_walk *walk)
{
    struct python_walk_memo *memo = memo_of(walk);
    if (memo->generation != recorder_generation || memo->count != walk->count)
        return NULL;
    for (uint32_t i = 0; i < walk->count; i++)
        if (memo->frames[i].code != walk->frames[i].code ||
            memo->frames[i].instruction != walk->frames[i].instruction)
            return NULL;
    return memo;
}

struct python_walk_memo *python_walk_memo_store(const struct python_walk *walk,
                                                const uint64_t *locations)
{
    struct python_walk_memo *memo = memo_of(walk);
    memo->generation = 0; // generations begin at 1
    memo->count = walk->count;
    memo->stack = TRACE_NONE;
    for (uint32_t i = 0; i < walk->count; i++) {
        memo->frames[i].code = walk->frames[i].code;
        memo->frames[i].instruction = walk->frames[i].instruction;
        memo->locations[i] = locations[i];
    }
    memo->generation = recorder_generation;
    return memo;
}

void python_walk_memo_forget(void)
{
    for (uint32_t i = 0; i < 1 << MEMO_BITS; i++)
        memos[i].generation = 0;
}
