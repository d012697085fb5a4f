// Python frames of a thread of another process.
//
// Three steps. Before a thread is stopped: where the interpreter is. While it is paused: copying
// its chain of frames, a few words for each. When it runs again: names and lines, from code objects
// that are the same as they were. Where things are in the interpreter says
// recorder/python_layouts.h; what a row says is believed only where objects have the type that they
// should have. Not thread-safe.
#ifndef UNCLOSED_STACKS_PYTHON_H
#define UNCLOSED_STACKS_PYTHON_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "attach/target.h"
#include "report/code/now.h"
#include "shared/python_layouts.h"

struct python_remote {
    const struct python_layout *layout; // a row of the table, or `told`
    struct python_layout told;          // what the interpreter says of itself
    uint64_t interpreter;               // the main one
    uint64_t code_type, text_type;
};

enum { PYTHON_SNAPSHOT_FRAMES = 128, PYTHON_CODE_BYTES = 144 };

struct python_snapshot {
    uint32_t count;
    bool cut; // there are more frames, or one that makes no sense
    struct python_snapshot_frame {
        uint64_t code;
        int instruction; // offset in bytes
        // The beginning of the code object, with all that tells it from another one.
        uint8_t copy[PYTHON_CODE_BYTES] __attribute__((aligned(8)));
    } frames[PYTHON_SNAPSHOT_FRAMES];
};

// Looks for a CPython whose layout is known among the target's modules, which are loaded already.
bool python_remote_find(const struct target *target, struct python_remote *python);

// Copies the frames of a stopped thread; without any if it runs no Python code.
// pointer: its thread pointer; tid: its id as it knows it itself.
void python_snapshot_take(const struct target *target, const struct python_remote *python,
                          uint64_t pointer, uint32_t tid, struct python_snapshot *snapshot);

// Adds the frames, innermost first, with names taken from the arena.
void python_snapshot_name(struct arena *arena, const struct target *target,
                          const struct python_remote *python,
                          const struct python_snapshot *snapshot, struct now_thread *thread);

#endif
