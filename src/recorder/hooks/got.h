// Global offset tables: making a module call our stubs, and undoing it.
#ifndef UNCLOSED_RECORDER_HOOKS_GOT_H
#define UNCLOSED_RECORDER_HOOKS_GOT_H

#include <stdbool.h>
#include <stdint.h>

#include "recorder/hooks/functions.h"
#include "trace/lock.h"

struct hook;
struct module;
struct sqlite_api;

extern struct lock got_lock; // taken around fork by process.c

// Hooks all modules that are not hooked yet. deep: they were just opened with RTLD_DEEPBIND, so
// that names not bound yet are to be looked up in their own scope first. To be called where the
// loader may be called: from our constructor, from within the program's dlopen, from a helper
// thread.
void got_hook_modules(bool deep);

// The specs are loaded: what the exported symbols and the stubs there are stand for is known.
void got_name_exported(void);

// Whether any of the functions of call specs has been seen in a module.
bool got_any_traced(void);

// Restores every slot that still holds our address.
void got_unhook_all(void);

// The stub for a function that really is at `real`; the same one each time. caller: for functions
// that depend on who calls them, else NULL. 0 if there are no stubs left (counted).
uint64_t got_stub(const struct function *function, uint64_t real, const struct module *caller);

// The hook of a function whose entry, which is at `entry`, is to be patched; the same one as for
// callers that reach it by a slot. NULL if there are no stubs left.
struct hook *got_hook(const struct function *function, uint64_t entry,
                      const struct sqlite_api *sqlite);

// What `name` is for the module that has `caller`, as if the recorder were not there; 0: nothing.
uint64_t got_resolve(const char *name, uint64_t caller);

#endif
