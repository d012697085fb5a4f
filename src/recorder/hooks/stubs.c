// Which stub stands for which function: see stubs.h. Knows functions and modules; not how a call
// comes to a stub, nor what it does.
#include "recorder/hooks/stubs.h"

#include <stddef.h>

#include "recorder/core/lock_order.h"
#include "recorder/core/recorder.h"
#include "recorder/hooks/functions.h"
#include "recorder/hooks/hook.h"
#include "recorder/hooks/sqlite_api.h"
#include "recorder/stacks/modules.h"

_Static_assert(offsetof(struct hook, real) == HOOK_REAL, "see the assembly");
_Static_assert(sizeof(struct hook) == HOOK_BYTES, "see the assembly");

struct lock hooks_lock = LOCK_OF(LOCK_HOOKS);
struct hook_code hook_code;

// What the exported symbols are until the specs are loaded, or if we stay inert. The order is that
// of the assembly.
static const struct function exported[HOOK_EXPORTED] = {
    {.name = "sqlite3_open"},  {.name = "sqlite3_open_v2"},  {.name = "sqlite3_open16"},
    {.name = "sqlite3_close"}, {.name = "sqlite3_close_v2"},
};
struct hook hooks[HOOK_STUBS] = {
    {.function = &exported[0]}, {.function = &exported[1]}, {.function = &exported[2]},
    {.function = &exported[3]}, {.function = &exported[4]},
};
static uint32_t hook_count = HOOK_EXPORTED; // the first ones are the exported symbols
static bool any_traced;

void stubs_name_exported(void)
{
    // After another attach the stubs are used again.
    for (uint32_t i = 0; i < hook_count; i++) {
        const struct function *function = function_find(hooks[i].function->name);
        if (function)
            hooks[i].function = function;
    }
}

bool stubs_any_traced(void)
{
    return any_traced;
}

void stubs_note_traced(void)
{
    any_traced = true;
}

static uint64_t stub_address(const struct function *function, uint32_t index)
{
    const char *stubs = function->sqlite == SQLITE_STEP ? hook_code.step_stubs : hook_code.stubs;
    return (uint64_t)(uintptr_t)stubs + (uint64_t)index * HOOK_STUB_BYTES;
}

static uint32_t stub_find(const struct function *function, uint64_t real, uint64_t caller_start)
{
    for (uint32_t i = HOOK_EXPORTED; i < hook_count; i++)
        if (hooks[i].function == function && hooks[i].entry == real &&
            hooks[i].caller_start == caller_start)
            return i;
    return 0;
}

// A number for a new stub: an unused one, or that of a function whose library is gone.
static uint32_t stub_number(void)
{
    struct module module;
    if (hook_count < HOOK_STUBS)
        return hook_count++;
    for (uint32_t i = HOOK_EXPORTED; i < HOOK_STUBS; i++)
        if (!module_find(hooks[i].entry, &module) ||
            (hooks[i].caller_start && !module_find(hooks[i].caller_start, &module)))
            return i;
    return 0;
}

uint64_t stub_of(const struct function *function, uint64_t real, const struct module *caller)
{
    uint64_t caller_start = caller ? caller->start : 0;
    lock_take(&hooks_lock);
    uint32_t index = stub_find(function, real, caller_start);
    lock_give(&hooks_lock);
    if (index == 0) {
        // The loader is asked without the lock: its own is taken by threads that wait for ours.
        const struct sqlite_api *sqlite = sqlite_api_of(function, real);
        lock_take(&hooks_lock);
        index = stub_find(function, real, caller_start);
        if (index == 0)
            index = stub_number();
        if (index != 0)
            hooks[index] = (struct hook){function, real, real, caller_start, sqlite};
        lock_give(&hooks_lock);
    }
    if (index == 0)
        recorder_lost(TRACE_LOST_STUBS);
    return index ? stub_address(function, index) : 0;
}

struct hook *stub_of_entry(const struct function *function, uint64_t entry,
                           const struct sqlite_api *sqlite)
{
    lock_take(&hooks_lock);
    uint32_t index = stub_find(function, entry, 0);
    if (index == 0 && (index = stub_number()) != 0)
        hooks[index] = (struct hook){function, entry, entry, 0, sqlite};
    if (index != 0 && function->special == FUNCTION_TRACED)
        any_traced = true;
    lock_give(&hooks_lock);
    return index ? &hooks[index] : NULL;
}
