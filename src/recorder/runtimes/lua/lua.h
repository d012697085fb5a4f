// Lua and LuaJIT in the traced process. docs/runtimes.md tells how it works.
#ifndef UNCLOSED_RECORDER_RUNTIMES_LUA_LUA_H
#define UNCLOSED_RECORDER_RUNTIMES_LUA_LUA_H

#include "recorder/runtimes/runtime.h"

extern const struct runtime lua_runtime;

#endif
