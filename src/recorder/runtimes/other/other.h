// Runtimes that are recognized and not looked into: Ruby and Lua.
//
// Their lines are not seen, and a handle that one of their modules closes may have been closed by
// the code or by the runtime: it ends as "not known why", never as released by the code.
#ifndef UNCLOSED_RECORDER_RUNTIMES_OTHER_OTHER_H
#define UNCLOSED_RECORDER_RUNTIMES_OTHER_OTHER_H

#include "recorder/runtimes/runtime.h"

extern const struct runtime ruby_runtime, lua_runtime;

#endif
