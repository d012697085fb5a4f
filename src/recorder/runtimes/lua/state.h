// Which state (lua_State) of Lua runs on this thread, and what its functions are. Reads only.
//
// Lua has no call that gives it; the functions that C implements are told it by an argument. So it
// is on the stack of whatever they call, and there it is looked for: a word that leads to a state
// which has a call protected (luaD_rawrunprotected) further out on this very stack. Of several, a
// coroutine and who resumed it, the one that runs has that call innermost.
#ifndef UNCLOSED_RECORDER_RUNTIMES_LUA_STATE_H
#define UNCLOSED_RECORDER_RUNTIMES_LUA_STATE_H

#include <stdbool.h>
#include <stdint.h>

#include "recorder/stacks/stack_memo.h"

enum lua_kind { LUA_5_1, LUA_5_2, LUA_5_3, LUA_5_4, LUA_JIT };

struct lua_state; // lua_State

// A function that runs, as lua_getinfo tells it.
struct lua_running {
    const char *name;      // NULL: none is known
    const char *name_what; // "method", "metamethod" ... or ""
    const char *what;      // "Lua", "C", "main"
    const char *source;    // "@file", "=name" or the text of the code
    int line;              // -1: not known
    int first_line;        // where the function begins
};

// Looks for Lua. false: there is none, or it does not export what is needed. Takes the loader's
// lock.
bool lua_state_find(enum lua_kind *kind);

// The state that runs on this thread, on which the stack of a call begins at `origin`; NULL: none
// that is certain.
struct lua_state *lua_state_running(const struct stack_origin *origin);

// The function at a level, 0 being the innermost: by its place, and its name too if that is asked
// for. false: there is none. Neither allocates nor raises.
bool lua_state_level(struct lua_state *state, int level, bool name, struct lua_running *running);

// Whether a state runs a finalizer, as far as it says so itself: by a flag (LuaJIT), or by having
// switched hooks off, which a hook does as well. known: whether it does say so.
bool lua_state_finalizes(const struct lua_state *state, bool *known);

#endif
