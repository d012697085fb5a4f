// The program's own dlopen, dlsym and dlclose: see dl_hooks.h. Knows nothing of sessions.
//
// dlopen and dlsym look at their return address to find out who calls: RUNPATH, $ORIGIN,
// RTLD_NEXT and namespaces depend on it. So they are called with a return address inside the
// caller's module: that of some `ret` instruction, which returns to us (arch.h). With shadow stacks
// that is impossible; then dlopen is jumped to, and new modules are hooked at the next wrapped
// call.
#include "recorder/hooks/dl_hooks.h"

#include <dlfcn.h>
#include <string.h>

#include "recorder/core/loader.h"
#include "recorder/core/recorder.h"
#include "recorder/hooks/functions.h"
#include "recorder/hooks/got.h"
#include "recorder/hooks/sqlite_api.h"
#include "recorder/hooks/stubs.h"
#include "recorder/runtimes/runtime.h"
#include "recorder/stacks/api_note.h"
#include "recorder/stacks/modules.h"
#include "recorder/stacks/own_code.h"
#include "recorder/stacks/unwind.h"

static bool hook_late; // a dlopen was jumped to: look for its modules

// Looked up anew each time: another module may have been mapped there since.
static uint64_t gadget_of(uint64_t caller)
{
    struct module module;
    struct shield shield = {0};
    shield_up(&shield);
    bool found = module_find(caller, &module);
    shield_down(&shield);
    if (arch_has_shadow_stack() || !found || module.text_end == 0)
        return 0;
    return arch_find_return((const unsigned char *)module.text_start, // NOLINT
                            module.text_end - module.text_start);
}

static unsigned disguise(struct call *call)
{
    call->gadget = gadget_of(call->return_address);
    if (call->gadget != 0)
        return HOOK_DISGUISE;
    hook_late = true;
    return HOOK_TAIL;
}

static const char *symbol_asked(const struct call *call)
{
    const char *name = (const char *)call->argument[1]; // NOLINT(performance-no-int-to-ptr)
    return name ? name : "";
}

static bool is_hooked(const char *name)
{
    const struct function *function = function_find(name);
    return function && function->special != FUNCTION_JUMP;
}

unsigned dl_hooks_before(struct call *call)
{
    if (!atomic_load_explicit(&recorder_active, memory_order_relaxed))
        return HOOK_TAIL;
    switch (call->hook->function->special) {
    case FUNCTION_DLCLOSE:
        return HOOK_THROUGH;
    case FUNCTION_DLSYM:
    case FUNCTION_DLVSYM:
        return is_hooked(symbol_asked(call)) ? disguise(call) : HOOK_TAIL;
    default:
        return disguise(call);
    }
}

// dlsym found a function that is traced: hand out its stub.
static void wrap_found(struct call *call)
{
    const struct function *function = function_find(symbol_asked(call));
    uint64_t found = call->result[0];
    struct module caller;
    if (own_code_has(found)) {
        found = got_resolve(function->name, call->return_address);
        if (found == 0) { // only our exported symbol is there: let the loader say what it would
            call->result[0] = (uint64_t)(uintptr_t)loader_symbol(RTLD_NEXT, function->name);
            return;
        }
    }
    bool needs_caller =
        function->special >= FUNCTION_DLOPEN && function->special <= FUNCTION_DLVSYM;
    if (needs_caller && !module_find(call->return_address, &caller))
        return;
    uint64_t stub = stub_of(function, found, needs_caller ? &caller : NULL);
    call->result[0] = stub ? stub : found;
}

void dl_hooks_modules_changed(void)
{
    if (stubs_any_traced() || api_note_is_used())
        unwind_prepare();
    runtimes_start();
}

static void look_at_modules(const struct call *call)
{
    enum function_special special = call->hook->function->special;
    uint64_t flags = special == FUNCTION_DLOPEN ? call->argument[1] : call->argument[2];
    got_hook_modules(special != FUNCTION_DLCLOSE && (flags & RTLD_DEEPBIND));
    dl_hooks_modules_changed();
}

__attribute__((noinline)) // as signal_hooks_after
void dl_hooks_after(struct call *call)
{
    if (!recorder_enter())
        return;
    enum function_special special = call->hook->function->special;
    bool symbol = special == FUNCTION_DLSYM || special == FUNCTION_DLVSYM;
    if (symbol && call->result[0] != 0)
        wrap_found(call);
    // A failed dlopen or dlclose leaves its message for dlerror: nothing of ours may replace it.
    else if (special == FUNCTION_DLCLOSE ? (int)call->result[0] == 0 : !symbol && call->result[0])
        look_at_modules(call);
    recorder_leave();
}

uint64_t dl_hooks_real(const struct hook *hook, uint64_t caller, const struct sqlite_api **sqlite)
{
    struct shield shield = {0};
    shield_up(&shield);
    uint64_t real = got_resolve(hook->function->name, caller);
    if (real != 0)
        *sqlite = sqlite_api_of(hook->function, real);
    shield_down(&shield);
    return real;
}

bool dl_hooks_is_late(void)
{
    return hook_late;
}

void dl_hooks_catch_up(void)
{
    if (!hook_late)
        return;
    hook_late = false;
    got_hook_modules(false);
    dl_hooks_modules_changed();
}
