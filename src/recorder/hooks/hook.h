// Wrapping a call: what the assembly (hook_*.S) and the C side of a wrapped call share.
//
// A wrapped function is reached through a stub. All stubs are alike but for their number; they are
// part of this library's text, so that no executable memory has to be made at run time. A stub
// saves the argument registers in a struct call on the stack and asks hook_before what to do.
#ifndef UNCLOSED_RECORDER_HOOKS_HOOK_H
#define UNCLOSED_RECORDER_HOOKS_HOOK_H

#include "recorder/core/arch.h"

#define HOOK_STUBS 2048 // how many functions (and copies of them) can be wrapped
#define HOOK_STUB_BYTES 16
#define HOOK_EXPORTED 5      // the first stub numbers are those of the exported symbols
#define HOOK_REAL 16         // offset in struct hook
#define HOOK_BYTES 40        // of struct hook
#define HOOK_STACK_BYTES 256 // of the caller's stack arguments that are passed on

// What hook_before wants.
#define HOOK_TAIL 0     // jump to `target` as if the program had
#define HOOK_THROUGH 1  // call `target`, then hook_after
#define HOOK_BARE 2     // the same for a function that has no stack arguments
#define HOOK_DISGUISE 3 // call `target` so that it sees `gadget` as the caller, then hook_after

#ifndef __ASSEMBLER__

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "recorder/books/session.h"
#include "recorder/hooks/stubs.h"

struct call {
    uint64_t argument[ARCH_ARGUMENTS];
    uint64_t other[2];
    uint64_t vector[8][2];
    uint64_t target;
    uint64_t gadget; // what the real function returns to: in the caller's module
    uint64_t result[2];
    uint64_t result_vector[ARCH_RESULT_VECTORS][2];
    uint64_t index;
    uint64_t return_address;
    const uint64_t *frame; // of the wrapper: the caller's frame pointer lies there
    // From here on the assembly knows nothing.
    struct hook *hook;
    const struct spec *spec;
    uint64_t started_ns;
    uint64_t handle;
    uint64_t pool_address;
    uint32_t acquires_before; // of this thread, see struct recorder_thread
    bool nested, taken, inherited;
    bool refused;       // a release of what never was connected
    unsigned recording; // in which it began: recorder_recording
    struct session session;
    struct sqlite_handle *known; // of SQLite: the connection, see sqlite_handle.h
    uint64_t epoch;              // ... and its sqlite_handle_epoch
    uint8_t verb;
};
_Static_assert(offsetof(struct call, other) == CALL_OTHER, "see the assembly");
_Static_assert(offsetof(struct call, vector) == CALL_VECTOR, "see the assembly");
_Static_assert(offsetof(struct call, target) == CALL_TARGET, "see the assembly");
_Static_assert(offsetof(struct call, gadget) == CALL_GADGET, "see the assembly");
_Static_assert(offsetof(struct call, result) == CALL_RESULT, "see the assembly");
_Static_assert(offsetof(struct call, result_vector) == CALL_RESULT_VECTOR, "see the assembly");
_Static_assert(offsetof(struct call, index) == CALL_INDEX, "see the assembly");
_Static_assert(offsetof(struct call, return_address) == CALL_RETURN, "see the assembly");
_Static_assert(offsetof(struct call, frame) == CALL_FRAME, "see the assembly");
_Static_assert(sizeof(struct call) <= CALL_BYTES, "see the assembly");

// Called by the assembly. hook_before returns one of the modes above.
unsigned hook_before(struct call *call);
void hook_after(struct call *call);

// Likewise, after a sqlite3_step that gave no row, where that has stubs of its own.
struct hook;
void hook_stepped(const struct hook *hook, uint64_t statement);

// How many of the HOOK_STACK_BYTES above `from` can be read, when they cross a page.
size_t hook_readable(uint64_t from);

// Tells those that look for it where the wrapper's code is (stubs.h). Before anything is hooked.
void hooks_begin(void);

#endif
#endif
