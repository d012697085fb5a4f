// Which state of Lua runs on this thread: see state.h. Knows no sessions.
#include "recorder/runtimes/lua/state.h"

#include <stdatomic.h>
#include <stddef.h>
#include <string.h>

#include "recorder/core/loader.h"
#include "recorder/core/peek.h"

enum {
    NEAR_WORDS = 512,     // of the stack, in which the state is looked for
    FAR_BYTES = 64 << 20, // a protected call is not further out than that
    WORD = sizeof(uint64_t),
    TRIALS = 16,      // times that a place was right before it is believed
    PLACES = 64,      // callers of which the place is kept
    STATES = 64,      // that were seen to run
    DEBUG_WORDS = 32, // of a lua_Debug, which has 15 to 17
};

// Where a state (lua_State: lstate.h, lj_obj.h) and a lua_Debug (lua.h) have what. The same in all
// builds for 64 bits of a version; LuaJIT with LJ_GC64, the default since 2.1.
struct layout {
    uint8_t type_at, type;    // the byte that tells what an object is
    uint8_t protected_at[2];  // errorJmp, cframe; 5.4.3 put a word in front of it
    uint8_t allow_hook_at;    // 0: not known
    uint8_t line, first_line; // of a lua_Debug
};
static const struct layout layouts[] = {
    [LUA_5_1] = {8, 8, {168, 168}, 101, 40, 48}, [LUA_5_2] = {8, 8, {112, 112}, 73, 40, 44},
    [LUA_5_3] = {8, 8, {88, 88}, 0, 40, 44},     [LUA_5_4] = {8, 8, {88, 80}, 11, 48, 52},
    [LUA_JIT] = {9, 6, {80, 80}, 0, 40, 48},
};
enum { DEBUG_NAME = 1, DEBUG_NAME_WHAT, DEBUG_WHAT, DEBUG_SOURCE }; // words of any lua_Debug

static struct {
    int (*getstack)(struct lua_state *state, int level, void *debug);
    int (*getinfo)(struct lua_state *state, const char *what, void *debug);
    void *(*gethook)(struct lua_state *state);
    int (*gethookmask)(struct lua_state *state);
} lua;
static uint32_t hook_mask_at; // in LuaJIT's global_State; 0: not known
static const struct layout *layout = layouts;
static enum lua_kind kind_found;

// The version by a function that it was the first to have.
static enum lua_kind read_kind(void)
{
    if (loader_symbol(RTLD_DEFAULT, "luaJIT_setmode"))
        return LUA_JIT;
    if (loader_symbol(RTLD_DEFAULT, "lua_newuserdatauv"))
        return LUA_5_4;
    if (loader_symbol(RTLD_DEFAULT, "lua_rotate"))
        return LUA_5_3;
    return loader_symbol(RTLD_DEFAULT, "lua_callk") ? LUA_5_2 : LUA_5_1;
}

// Where LuaJIT's lua_gethookmask reads the mask: `movzbl x(%rax), %eax`, then `and $0xf, %eax`.
static uint32_t read_hook_mask_at(const uint8_t *code)
{
#if defined(__x86_64__)
    enum { CODE_BYTES = 24 };
    static const uint8_t head[] = {0x0f, 0xb6}, rest[] = {0x83, 0xe0, 0x0f};
    for (uint32_t i = 0; i < CODE_BYTES; i++) {
        const uint8_t *at = code + i;
        uint32_t distance;
        memcpy(&distance, at + sizeof head + 1, sizeof distance);
        if (memcmp(at, head, sizeof head) != 0)
            continue;
        if (at[2] >> 6 == 1 && memcmp(at + 4, rest, sizeof rest) == 0)
            return at[3];
        if (at[2] >> 6 == 2 && memcmp(at + 7, rest, sizeof rest) == 0 && distance < 8192)
            return distance;
    }
#endif
    (void)code;
    return 0; // not known how
}

bool lua_state_find(enum lua_kind *kind)
{
    lua.getstack =
        (int (*)(struct lua_state *, int, void *))loader_symbol(RTLD_DEFAULT, "lua_getstack");
    lua.getinfo = (int (*)(struct lua_state *, const char *, void *))loader_symbol(RTLD_DEFAULT,
                                                                                   "lua_getinfo");
    lua.gethook = (void *(*)(struct lua_state *))loader_symbol(RTLD_DEFAULT, "lua_gethook");
    lua.gethookmask = (int (*)(struct lua_state *))loader_symbol(RTLD_DEFAULT, "lua_gethookmask");
    if (!lua.getstack || !lua.getinfo || !lua.gethook || !lua.gethookmask)
        return false;
    *kind = kind_found = read_kind();
    if (kind_found == LUA_JIT)
        hook_mask_at = read_hook_mask_at((const uint8_t *)lua.gethookmask);
    layout = &layouts[*kind];
    return true;
}

// States that ran when they were looked at, so that their memory need not be asked for again.
static _Atomic uint64_t states[STATES];

static _Atomic uint64_t *known_state(uint64_t word)
{
    return &states[(word * UINT64_C(0x9e3779b97f4a7c15)) >> 58];
}
_Static_assert(STATES == 1 << (64 - 58), "known_state gives all of them");

static bool read_word(uint64_t at, bool known, uint64_t *value)
{
    if (!known)
        return peek_word(at, UINT64_MAX, value);
    memcpy(value, (const void *)at, sizeof *value); // NOLINT(performance-no-int-to-ptr)
    return true;
}

// Where the innermost protected call of the state is that `word` leads to; 0: it leads to none, or
// to one that does not run on this stack, which begins at `bottom`.
static uint64_t protected_call(uint64_t word, uint64_t bottom, bool known)
{
    uint64_t head, at;
    if (word < 4096 || word % WORD != 0 || word >> 47 != 0 ||
        (word >= bottom && word - bottom < FAR_BYTES) || !read_word(word + WORD, known, &head) ||
        (uint8_t)(head >> 8 * (layout->type_at - WORD)) != layout->type)
        return 0;
    for (int i = 0; i < 2; i++) {
        if (!read_word(word + layout->protected_at[i], known, &at))
            return 0;
        at &= ~UINT64_C(7); // LuaJIT has flags there
        if (at > bottom && at - bottom < FAR_BYTES)
            return at;
    }
    return 0;
}

// Looks at all words of the stack that are near. index: of the one that leads to the state.
static uint64_t search(const uint64_t *bottom, uint32_t *index)
{
    const uint64_t from = (uint64_t)(uintptr_t)bottom;
    uint64_t best = UINT64_MAX, state = 0, word, last = 0;
    for (uint32_t i = 1; i < NEAR_WORDS; i++) {
        if (!peek_word(from + (uint64_t)i * WORD, from, &word))
            break;
        if (word == last || word == state)
            continue;
        last = word;
        uint64_t at = protected_call(word, from, false);
        if (at == 0 || at >= best)
            continue;
        best = at;
        state = word;
        *index = i;
    }
    return state;
}

// Where on the stack of a caller the state is: the return address (47 bits), the number of words
// above it (12 bits), how often that was right (5 bits).
static _Atomic uint64_t places[PLACES];
enum { INDEX_SHIFT = 47, TRIALS_SHIFT = 59 };
#define CALLER_MASK ((UINT64_C(1) << INDEX_SHIFT) - 1)

static _Atomic uint64_t *place_of(uint64_t caller)
{
    return &places[(caller * UINT64_C(0x9e3779b97f4a7c15)) >> 58];
}
_Static_assert(PLACES == 1 << (64 - 58), "place_of gives all of them");

static void note_place(_Atomic uint64_t *place, uint64_t caller, uint32_t index)
{
    const uint64_t now = atomic_load_explicit(place, memory_order_relaxed);
    const uint64_t same = caller | (uint64_t)index << INDEX_SHIFT;
    uint64_t trials = 1;
    if ((now & ~(UINT64_C(31) << TRIALS_SHIFT)) == same)
        trials = (now >> TRIALS_SHIFT) + 1;
    atomic_store_explicit(place, same | trials << TRIALS_SHIFT, memory_order_relaxed);
}

// Whether this caller is one without a state: then it is looked for now and then.
static bool is_without(_Atomic uint64_t *place, uint64_t caller)
{
    const uint64_t now = atomic_load_explicit(place, memory_order_relaxed);
    if ((now & ~(UINT64_C(31) << TRIALS_SHIFT)) != caller || now >> TRIALS_SHIFT < TRIALS)
        return false;
    const bool again = now >> TRIALS_SHIFT == 2 * TRIALS - 1;
    const uint64_t trials = again ? TRIALS - 1 : (now >> TRIALS_SHIFT) + 1;
    atomic_store_explicit(place, caller | trials << TRIALS_SHIFT, memory_order_relaxed);
    return !again;
}

// The state at a place that was right often enough; 0: look for it.
static uint64_t recall(uint64_t place, uint64_t caller, const uint64_t *bottom)
{
    const uint64_t index = place >> INDEX_SHIFT & (NEAR_WORDS - 1);
    if ((place & CALLER_MASK) != caller || place >> TRIALS_SHIFT < TRIALS || index == 0)
        return 0;
    const uint64_t word = bottom[index];
    const bool known =
        word != 0 && atomic_load_explicit(known_state(word), memory_order_relaxed) == word;
    return protected_call(word, (uint64_t)(uintptr_t)bottom, known) ? word : 0;
}

struct lua_state *lua_state_running(const struct stack_origin *origin)
{
    if (!origin)
        return NULL;
    const uint64_t *bottom = origin->return_slot;
    const uint64_t caller = *bottom & CALLER_MASK;
    _Atomic uint64_t *place = place_of(caller);
    uint32_t index = 0;
    uint64_t state = recall(atomic_load_explicit(place, memory_order_relaxed), caller, bottom);
    if (state == 0 && is_without(place, caller))
        return NULL;
    if (state == 0) {
        state = search(bottom, &index);
        note_place(place, caller, state ? index : 0);
    }
    if (state != 0)
        atomic_store_explicit(known_state(state), state, memory_order_relaxed);
    return (struct lua_state *)state; // NOLINT(performance-no-int-to-ptr)
}

static const char *text_at(const uint64_t *debug, int word)
{
    return (const char *)debug[word]; // NOLINT(performance-no-int-to-ptr)
}

static int number_at(const uint64_t *debug, uint8_t at)
{
    int number;
    memcpy(&number, (const char *)debug + at, sizeof number);
    return number;
}

bool lua_state_level(struct lua_state *state, int level, bool name, struct lua_running *running)
{
    uint64_t debug[DEBUG_WORDS]; // filled in by Lua, as far as it is asked for
    if (!lua.getstack(state, level, debug) || !lua.getinfo(state, name ? "nSl" : "Sl", debug))
        return false;
    *running = (struct lua_running){
        .name = name ? text_at(debug, DEBUG_NAME) : NULL,
        .name_what = name ? text_at(debug, DEBUG_NAME_WHAT) : NULL,
        .what = text_at(debug, DEBUG_WHAT),
        .source = text_at(debug, DEBUG_SOURCE),
        .line = number_at(debug, layout->line),
        .first_line = number_at(debug, layout->first_line),
    };
    return true;
}

// LuaJIT: whether the collector calls, by HOOK_GC in global_State.hookmask (lj_obj.h).
static bool is_collecting(const struct lua_state *state, bool *known)
{
    enum { GLOBAL_AT = 16, EVENTS = 0x0f, COLLECTS = 0x40 };
    uint64_t global;
    memcpy(&global, (const char *)state + GLOBAL_AT, sizeof global);
    const uint8_t mask = *(const uint8_t *)(global + hook_mask_at); // NOLINT
    *known = hook_mask_at != 0 && (mask & EVENTS) == lua.gethookmask((struct lua_state *)state);
    return *known && (mask & COLLECTS);
}

bool lua_state_finalizes(const struct lua_state *state, bool *known)
{
    if (kind_found == LUA_JIT)
        return is_collecting(state, known);
    const uint8_t allowed = *((const uint8_t *)state + layout->allow_hook_at);
    *known = layout->allow_hook_at != 0 && (allowed || !lua.gethook((struct lua_state *)state));
    return layout->allow_hook_at != 0 && !allowed;
}
