// Walks of Python frames seen before, with what they were translated to.
//
// A program acquires at the same few places again and again: comparing the frames with those of the
// last time costs a tenth of looking each one up. Knows nothing of how frames are translated.
// Everything here: GIL held, inside recorder_enter.
#ifndef UNCLOSED_RECORDER_RUNTIMES_PYTHON_WALK_MEMO_H
#define UNCLOSED_RECORDER_RUNTIMES_PYTHON_WALK_MEMO_H

#include <stdint.h>

#include "recorder/runtimes/python/frames.h"

struct python_walk_memo {
    uint32_t generation; // recorder_generation it is valid in
    uint32_t count;
    uint32_t stack; // the walk by itself, as a TRACE_STACKS reference; TRACE_NONE: not interned yet
    struct {
        const PyObject *code;
        int instruction;
    } frames[STACK_FRAMES];
    uint64_t locations[STACK_FRAMES]; // of the frames, as in struct stack
};

// What is remembered of a walk with these very frames; NULL: nothing.
struct python_walk_memo *python_walk_memo_find(const struct python_walk *walk);

// Remembers a walk. locations: walk->count of them. Its code objects have to stay alive: their
// addresses are what is compared.
struct python_walk_memo *python_walk_memo_store(const struct python_walk *walk,
                                                const uint64_t *locations);

// The interpreter is gone, and with it all code objects.
void python_walk_memo_forget(void);

#endif
