// Patching the entries of functions: the way in for calls that go through no table.
//
// The entry of a function gets a jump to memory of ours near it, which leads to the wrapper; its
// first instructions run from there when the wrapper calls the real function. What to write was
// planned before the program ran (patch_plan.h); here it is compared with what is in memory, and
// written if no other thread can be in the way. Knows modules and hooks, nothing of sessions.
#ifndef UNCLOSED_RECORDER_HOOKS_PATCH_H
#define UNCLOSED_RECORDER_HOOKS_PATCH_H

#include <stdbool.h>

#include "recorder/stacks/modules.h"
#include "trace/trace_patch.h"

// Takes over the plan from the options. Called before anything is hooked.
void patches_load(void);

// Patches what the plan says of a module that was just found. In a process that we were attached to
// the patches are only prepared: see patch_table.h.
void patches_module(const struct module *module);

// What lies in modules that were unloaded is no longer ours.
void patches_drop_unmapped(void);

// Writes the outcome of each function into a trace that has just been opened, behind
// functions_write_all.
void patches_write_all(void);

// The command line has done what it could with the prepared patches.
void patches_written(void);

#endif
