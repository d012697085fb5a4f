// The program's own dlopen, dlsym and dlclose: new modules are hooked, traced functions handed out
// wrapped, and the loader still sees the program as the caller.
#ifndef UNCLOSED_RECORDER_HOOKS_DL_HOOKS_H
#define UNCLOSED_RECORDER_HOOKS_DL_HOOKS_H

#include "recorder/hooks/hook.h"

unsigned dl_hooks_before(struct call *call);
void dl_hooks_after(struct call *call);

// Modules were loaded or unloaded: what depends on them is prepared.
void dl_hooks_modules_changed(void);

// Hooks what a dlopen brought that could only be jumped to; whether there may be such.
bool dl_hooks_is_late(void);
void dl_hooks_catch_up(void);

// The real function behind an exported symbol for a call from `caller`; 0: there is none.
struct sqlite_api;
uint64_t dl_hooks_real(const struct hook *hook, uint64_t caller, const struct sqlite_api **sqlite);

#endif
