// Starting the helper thread in the target: the only part during which one of its threads stands
// still.
#ifndef UNCLOSED_ATTACH_INJECTION_H
#define UNCLOSED_ATTACH_INJECTION_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "attach/arch.h"
#include "attach/failure.h"
#include "attach/target.h"

// Where everything is in the mapping made for the helper, as offsets from its beginning.
struct injection_plan {
    struct arch_gadgets gadgets;
    uint64_t create, detach, tls_init, munmap; // addresses in the target
    int64_t tid_offset; // of the kernel's thread id from the thread pointer on
    uint64_t dtv_slots;
    uint64_t page, text, frame, dtv, stack_end, tcb, bytes;
    uint64_t unmap; // how much of it is unmapped in the end
};

enum {
    INJECTION_TEXT_BYTES = 0x10000,
    INJECTION_PATIENCE_MS = 3000, // the helper waits at least that long for something to do
};

struct injection_result {
    struct failure failure; // error 0: none
    uint64_t base;          // of the mapping; 0: there is none
    pid_t first;            // the raw thread
    pid_t borrowed;         // the thread that was paused
    bool single;            // the program had a single thread
    uint64_t pause_ns;      // how long it was paused
    uint64_t search_ns;     // from the first try until it was paused
};

// Fills in *plan for a target whose modules are loaded. Result: 0 or -errno with *failure filled
// in.
int injection_prepare(const struct target *target, struct injection_plan *plan,
                      struct failure *failure);

// Starts the helper thread. Result: 0, or -errno with result->failure filled in; the target then
// goes on as before.
int injection_start(const struct target *target, const struct injection_plan *plan,
                    struct injection_result *result);

// Unmaps a mapping that no thread uses any more, of a helper that could not be started.
int injection_unmap(const struct target *target, const struct injection_plan *plan, uint64_t base,
                    struct injection_result *result);

#endif
