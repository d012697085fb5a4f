// Global offset tables: making a module call our stubs, and undoing it.
#ifndef UNCLOSED_RECORDER_HOOKS_GOT_H
#define UNCLOSED_RECORDER_HOOKS_GOT_H

#include <stdbool.h>
#include <stdint.h>

// Hooks all modules that are not hooked yet. deep: they were just opened with RTLD_DEEPBIND, so
// that names not bound yet are to be looked up in their own scope first. To be called where the
// loader may be called: from our constructor, from within the program's dlopen, from a helper
// thread.
void got_hook_modules(bool deep);

// Restores every slot that still holds our address.
void got_unhook_all(void);

// What `name` is for the module that has `caller`, as if the recorder were not there; 0: nothing.
uint64_t got_resolve(const char *name, uint64_t caller);

#endif
