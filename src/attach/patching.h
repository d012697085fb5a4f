// Patching the entries of functions of a live process, and restoring them.
//
// What to write, the recorder has prepared in the process (recorder/patch_table.h). All threads are
// stopped meanwhile. At every moment in between the program may go on: the tool can be killed.
#ifndef UNCLOSED_ATTACH_PATCHING_H
#define UNCLOSED_ATTACH_PATCHING_H

#include <stdint.h>

#include "attach/failure.h"
#include "attach/target.h"

struct patching_result {
    uint32_t written;  // entries that are patched now
    uint32_t restored; // entries that are as they were
    uint32_t left;     // those with which it was not possible
    uint64_t pause_ns; // how long the process was paused; the longest pause if there were several
    struct failure failure;
};

// Writes the prepared patches of the table at address `table`. Result: 0, with what could not be
// written in result->left; or -errno with result->failure filled in.
int patching_write(const struct target *target, uint64_t table, struct patching_result *result);

// Restores all that are written. An entry that somebody else has changed since is left alone.
int patching_restore(const struct target *target, uint64_t table, struct patching_result *result);

#endif
