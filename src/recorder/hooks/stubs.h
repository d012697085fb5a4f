// Stubs: which one stands for which function.
//
// The stubs are code (hook_*.S), all alike but for their number, and enter hooks.c. What needs
// their addresses is told, so that it needs no file that is above it.
#ifndef UNCLOSED_RECORDER_HOOKS_STUBS_H
#define UNCLOSED_RECORDER_HOOKS_STUBS_H

#include <stdbool.h>
#include <stdint.h>

#include "recorder/hooks/functions.h"
#include "trace/lock.h"

struct module;
struct sqlite_api;

extern struct lock hooks_lock; // guards stubs, rewritten slots and patches; taken around fork

// One stub's purpose: a function together with what it really is here.
struct hook {
    const struct function *function;
    uint64_t entry;        // of the function; 0: to be found by the caller's scope (an exported
                           // symbol)
    uint64_t real;         // where a call goes on: `entry`, or if that is patched, what was there
    uint64_t caller_start; // of the module whose calls come here, for those that need to know
    const struct sqlite_api *sqlite; // of the library that `real` is in; NULL: not SQLite
};
extern struct hook hooks[]; // HOOK_STUBS

// Addresses in the wrapper's code, see hooks_begin.
extern struct hook_code {
    const char *stubs;            // the first one
    const char *step_stubs;       // likewise, for sqlite3_step
    const char *returned;         // where a real function returns to: on the stack once for each
                                  // wrapped call under way
    const char *patched;          // the wrapper of calls that come through a patched entry; NULL:
                                  // entries are not patched on this processor
    const char *patched_returned; // where the real function returns to then
} hook_code;

// The specs are loaded: what the exported symbols and the stubs there are stand for is known.
void stubs_name_exported(void);

// Whether any of the functions of call specs has been seen in a module.
bool stubs_any_traced(void);
void stubs_note_traced(void);

// The stub for a function that really is at `real`; the same one each time. caller: for functions
// that depend on who calls them, else NULL. 0 if there are no stubs left (counted). Asks the
// loader: not to be called with a lock held.
uint64_t stub_of(const struct function *function, uint64_t real, const struct module *caller);

// The hook of a function whose entry, which is at `entry`, is to be patched; the same one as for
// callers that reach it by a slot. NULL if there are no stubs left.
struct hook *stub_of_entry(const struct function *function, uint64_t entry,
                           const struct sqlite_api *sqlite);

#endif
