// A stack as the recorder passes it on: in the trace's form. Knows neither how it was taken nor
// what for.
#ifndef UNCLOSED_RECORDER_CORE_STACK_H
#define UNCLOSED_RECORDER_CORE_STACK_H

#include <stdbool.h>
#include <stdint.h>

#include "recorder/core/hash.h"

enum { STACK_FRAMES = 128 }; // the most frames ever kept

// A stack in the trace's form (see struct trace_stack): return addresses and locations.
struct stack {
    uint32_t count;
    bool cut;
    uint64_t hash; // stack_hash of the frames, where that is known already; else 0
    uint64_t frames[STACK_FRAMES];
};

static inline uint64_t stack_hash(const uint64_t *frames, uint32_t count)
{
    return hash_words(frames, count);
}

#endif
