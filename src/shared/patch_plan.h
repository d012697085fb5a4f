// Plans for patching function entries: the text that the command line hands to the recorder.
//
// The command line takes programs apart before they run; the recorder, which may not, finds in the
// plan what to write where, and what must be there before. One line each, words separated by one
// blank, numbers in hexadecimal:
//
//     module ID                                the lines below are for this module, called
//                                              b and the build-id, or t, the size of the first
//                                              executable segment, a full stop and its checksum
//     symbol NAME ADDRESS                      where a function is that is not to be patched
//     refused NAME REASON                      enum trace_patch
//     patch NAME OUTCOME FUNCTION SIZE CHECKSUM SKIPPED DISPLACED ENDS CODE [AT:END:TARGET]...
//                                              struct patch_step
//
// Addresses are those in the file. Shared by both sides; depends on nothing, async-signal-safe.
#ifndef UNCLOSED_SHARED_PATCH_PLAN_H
#define UNCLOSED_SHARED_PATCH_PLAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "trace/trace_patch.h"

enum {
    PATCH_PLAN_BUILD_ID_BYTES = 32,
    PATCH_PLAN_NAME_BYTES = 160,
    PATCH_PLAN_CODE_BYTES = 48,
    PATCH_PLAN_FIXUPS = 5,
};

struct patch_step {
    char name[PATCH_PLAN_NAME_BYTES];
    enum trace_patch outcome;          // DONE or COPIES if it can be patched, or why not
    bool is_symbol;                    // only `name` and `function` hold
    uint64_t function, size, checksum; // of all its bytes
    uint8_t skipped;                   // bytes of it in front of the patch
    uint8_t displaced;                 // bytes that are replaced or cut off
    bool ends;                         // `code` never runs on behind its end
    uint8_t code[PATCH_PLAN_CODE_BYTES];
    uint8_t bytes; // of `code`
    struct {
        uint8_t at, end; // 32 bits of `code`: the distance from its offset `end` to `target`
        uint64_t target;
    } fixups[PATCH_PLAN_FIXUPS];
    uint8_t fixup_count;
};

// The next step at *text, which is moved behind it. Result: false at the end of the module's part
// or when the rest makes no sense.
bool patch_plan_step(const char **text, struct patch_step *step);

// The next module: its identity, which ends at a line end. *text is moved behind that line.
// NULL: there is none.
const char *patch_plan_module(const char **text);

uint64_t patch_plan_checksum(const void *data, size_t bytes);

#endif
