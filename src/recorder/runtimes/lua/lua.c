// Lua: frames, and who closes a handle. See lua.h.
//
// A handle is closed by a function that C implements and that Lua calls: as a method, or as a
// finalizer. 5.3 and 5.4 tell which by the name of that function, 5.1 and 5.2 by having switched
// hooks off, LuaJIT by a flag.
#include "recorder/runtimes/lua/lua.h"

#include <stdatomic.h>
#include <string.h>

#include "recorder/core/recorder.h"
#include "recorder/runtimes/locations.h"
#include "recorder/runtimes/lua/state.h"
#include "recorder/runtimes/native.h"
#include "recorder/stacks/capture.h"

static atomic_bool found;
static enum lua_kind kind;

// Functions of Lua's, by which a stack is read.
enum function {
    CLOSE,              // ends the state
    COLLECT,            // from here on: they collect when they are called
    CALL = COLLECT + 7, // from here on: they call a function for whoever calls them
    FUNCTIONS = CALL + 6
};
static const char *const names[FUNCTIONS] = {
    [CLOSE] = "lua_close",
    [COLLECT] = "lua_gc",
    [COLLECT + 1] = "lua_pushlstring",
    [COLLECT + 2] = "lua_pushstring",
    [COLLECT + 3] = "lua_pushcclosure",
    [COLLECT + 4] = "lua_createtable",
    [COLLECT + 5] = "lua_newuserdata",
    [COLLECT + 6] = "lua_newuserdatauv",
    [CALL] = "lua_pcall",
    [CALL + 1] = "lua_call",
    [CALL + 2] = "lua_cpcall",
    [CALL + 3] = "lua_resume",
    [CALL + 4] = "lua_pcallk",
    [CALL + 5] = "lua_callk",
};
static struct native_function functions[FUNCTIONS];

enum { MOST_LEVELS = 4096 };

// A module that calls Lua's functions: it imports their names.
static bool is_lua_module(const struct module *module)
{
    static const char prefix[] = "\0lua_";
    const char *texts = NULL;
    uint64_t bytes = 0;
    if (functions[CLOSE].start >= module->start && functions[CLOSE].start < module->end)
        return true;
    for (const ElfW(Dyn) *entry = module->dynamic; entry && entry->d_tag != DT_NULL; entry++) {
        if (entry->d_tag == DT_STRTAB)
            texts = (const char *)entry->d_un.d_ptr; // NOLINT: the loader has relocated it
        else if (entry->d_tag == DT_STRSZ)
            bytes = entry->d_un.d_val;
    }
    return texts && (uint64_t)(uintptr_t)texts >= module->start &&
           memmem(texts, bytes, prefix, sizeof prefix - 1);
}

static struct native_modules modules = {.is_own = is_lua_module};

// The file of a function: "@/srv/app.lua", "=stdin"; else its source is the text itself, which is
// nobody's business.
static struct runtime_text file_of(const struct lua_running *running)
{
    static const char text[] = "[string]";
    if (running->source[0] == '@' || running->source[0] == '=')
        return (struct runtime_text){running->source + 1, strlen(running->source + 1)};
    return (struct runtime_text){text, sizeof text - 1};
}

static struct runtime_text name_of(const struct lua_running *running)
{
    const char *name = running->name && running->name[0]    ? running->name
                       : strcmp(running->what, "main") == 0 ? "main chunk"
                                                            : "?";
    return (struct runtime_text){name, strlen(name)};
}

// Names the place by all of its texts: states and functions come and go at the same addresses. The
// name by which a function was called depends on the caller; the first one stays.
static uint64_t stamp_of(const struct runtime_text *file, int first_line)
{
    uint64_t stamp = runtime_stamp(1, (uint64_t)(unsigned)first_line), word = 0;
    size_t at = 0;
    for (; at + sizeof word <= file->bytes; at += sizeof word) {
        memcpy(&word, file->text + at, sizeof word);
        stamp = runtime_stamp(stamp, word);
    }
    word = file->bytes;
    memcpy(&word, file->text + at, file->bytes - at);
    return runtime_stamp(stamp, word ^ (uint64_t)file->bytes << 56) | 1;
}

static void push(struct stack *stack, struct lua_state *state, int level,
                 struct lua_running *running)
{
    struct runtime_place place = {
        .language = TRACE_LUA, .separator = "", .otherwise = "?", .file = file_of(running)};
    place.line = running->line > 0 ? (uint32_t)running->line : 0;
    place.stamp = stamp_of(&place.file, running->first_line);
    place.code = (const void *)place.stamp; // NOLINT(performance-no-int-to-ptr)
    uint32_t location = runtime_location_known(place.code, place.line, place.stamp);
    if (location == TRACE_NONE && lua_state_level(state, level, true, running)) {
        place.function = name_of(running);
        location = runtime_location(&place);
    }
    if (location != TRACE_NONE)
        stack->frames[stack->count++] = TRACE_FRAME_LOCATION | location;
}

static void lua_frames(struct stack *stack, const struct stack_origin *origin)
{
    struct lua_running running;
    if (!origin || !native_is_own(&modules, (const void *)*origin->return_slot)) // NOLINT
        return;
    struct lua_state *state = lua_state_running(origin);
    for (int level = 0; state && level < MOST_LEVELS; level++) {
        if (!lua_state_level(state, level, false, &running))
            return;
        if (running.what[0] == 'C' || running.what[0] == 't') // C code, a tail call in 5.1
            continue;
        if (stack->count == STACK_FRAMES) {
            stack->cut = true;
            return;
        }
        push(stack, state, level, &running);
    }
}

static bool is_named(const struct lua_running *running, const char *event)
{
    const char *name = running->name;
    if (!name || strcmp(running->name_what, "metamethod") != 0)
        return false;
    return strcmp(name[0] == '_' ? name + 2 : name, event) == 0;
}

// What is on a state's stack.
struct calls {
    bool finalizer; // a function is called as one
    bool outermost; // the outermost is
    bool code;      // some code in Lua runs
    int count;
};

static struct calls look_at_calls(struct lua_state *state)
{
    struct calls calls = {0};
    struct lua_running running;
    for (; calls.count < MOST_LEVELS; calls.count++) {
        if (!lua_state_level(state, calls.count, true, &running))
            break;
        calls.outermost = is_named(&running, "gc");
        calls.finalizer |= calls.outermost;
        calls.code |= running.what[0] != 'C';
    }
    return calls;
}

// Whether the innermost function is called because a variable goes out of scope.
static bool is_scope(struct lua_state *state)
{
    struct lua_running running;
    return kind == LUA_5_4 && lua_state_level(state, 0, true, &running) &&
           is_named(&running, "close");
}

static bool is_under_any(const struct stack *stack, enum function from, enum function to)
{
    for (enum function function = from; function < to; function++)
        if (native_is_under(stack, &functions[function]))
            return true;
    return false;
}

// Whether the state ends: lua_close is on the stack, or has gone on elsewhere (a tail call), so
// that the finalizer is the first that was called, and by nobody.
static bool is_ending(const struct stack *stack, const struct calls *calls)
{
    if (native_is_under(stack, &functions[CLOSE]))
        return true;
    return kind != LUA_JIT && // its compiled code ends a stack
           (calls->outermost || !is_under_any(stack, CALL, FUNCTIONS)) &&
           !is_under_any(stack, COLLECT, CALL);
}

// Whether a finalizer runs. known: whether that is certain.
static bool is_finalizing(struct lua_state *state, const struct stack *stack, bool *known)
{
    *known = true;
    if (kind == LUA_5_1 || kind == LUA_5_2 || kind == LUA_JIT)
        return lua_state_finalizes(state, known);
    // Names take time; 5.4 says beforehand whether it is worth it. 5.3 gives this name to who is
    // collected for, and there is nobody when the state ends.
    if (kind == LUA_5_4 && !lua_state_finalizes(state, &(bool){false}))
        return false;
    return look_at_calls(state).finalizer ||
           (kind == LUA_5_3 && !stack->cut && !is_under_any(stack, CALL, FUNCTIONS));
}

static enum runtime_closer closer_by(struct lua_state *state, const struct stack *stack)
{
    bool known;
    const bool finalizes = is_finalizing(state, stack, &known);
    if (!known)
        return RUNTIME_UNKNOWN;
    if (!finalizes)
        return is_scope(state) ? RUNTIME_SCOPE : RUNTIME_CODE;
    const struct calls calls = look_at_calls(state);
    if (!is_ending(stack, &calls))
        return RUNTIME_COLLECTOR;
    return calls.code ? RUNTIME_CODE_AT_EXIT : RUNTIME_END;
}

static enum runtime_closer lua_closer(const struct runtime_call *call)
{
    struct stack stack;
    if (!native_is_own(&modules, call->caller))
        return RUNTIME_NOT_MINE;
    stack_native_from(call->origin, &stack);
    struct lua_state *state = lua_state_running(call->origin);
    if (state)
        return closer_by(state, &stack);
    // Not Lua has called this, or it was not found out which state has.
    return is_under_any(&stack, CALL, FUNCTIONS) || is_under_any(&stack, CLOSE, COLLECT)
               ? RUNTIME_UNKNOWN
               : RUNTIME_NOT_MINE;
}

static void lua_start(void)
{
    if (!lua_state_find(&kind))
        return;
    for (int i = 0; i < FUNCTIONS; i++)
        functions[i] = native_function(names[i]);
    if (!functions[CLOSE].start)
        return;
    runtime_say(TRACE_LUA, TRACE_RUNTIME_SEEN, 5, kind == LUA_JIT ? 1 : (unsigned)kind + 1);
    atomic_store(&found, true);
    runtime_join(&lua_runtime);
}

static bool lua_is_found(void)
{
    return atomic_load(&found);
}

static void lua_leave(void)
{
    runtime_part(&lua_runtime);
    atomic_store(&found, false);
}

const struct runtime lua_runtime = {
    .name = "lua",
    .start = lua_start,
    .found = lua_is_found,
    .frames = lua_frames,
    .closer = lua_closer,
    .leave = lua_leave,
};
