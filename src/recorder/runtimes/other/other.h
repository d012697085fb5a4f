// A runtime that is recognized and not looked into: Lua.
//
// Its lines are not seen, and a handle that one of its modules closes may have been closed by
// the code or by the runtime: it ends as "not known why", never as released by the code.
#ifndef UNCLOSED_RECORDER_RUNTIMES_OTHER_OTHER_H
#define UNCLOSED_RECORDER_RUNTIMES_OTHER_OTHER_H

#include "recorder/runtimes/runtime.h"

extern const struct runtime lua_runtime;

#endif
