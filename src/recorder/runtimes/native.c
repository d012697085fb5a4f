// Native code of a runtime: see native.h.
#include "recorder/runtimes/native.h"

#include <stdatomic.h>

#include "recorder/core/loader.h"
#include "recorder/runtimes/runtime.h"

static atomic_uint epoch = 1;

struct native_function native_function(const char *name)
{
    Dl_info info;
    const ElfW(Sym) *symbol = NULL;
    void *address = loader_symbol(RTLD_DEFAULT, name);
    if (!address || loader_address_extra(address, &info, (void **)&symbol, RTLD_DL_SYMENT) == 0 ||
        !symbol || info.dli_saddr != address)
        return (struct native_function){0};
    return (struct native_function){(uint64_t)(uintptr_t)address, symbol->st_size};
}

bool native_is_under(const struct stack *stack, const struct native_function *function)
{
    for (uint32_t i = 0; i < stack->count; i++)
        if (native_is_in(stack->frames[i], function))
            return true;
    return false;
}

void native_modules_changed(void)
{
    atomic_fetch_add(&epoch, 1);
}

enum { UNKNOWN = -1 };

static int recall(struct native_modules *modules, uint64_t address)
{
    int answer = UNKNOWN;
    lock_take(&runtimes_lock);
    if (modules->epoch != atomic_load(&epoch)) {
        modules->epoch = atomic_load(&epoch);
        modules->count = 0;
    }
    for (uint32_t i = 0; i < modules->count && answer == UNKNOWN; i++)
        if (address >= modules->module[i].start && address < modules->module[i].end)
            answer = modules->module[i].own;
    lock_give(&runtimes_lock);
    return answer;
}

static void remember(struct native_modules *modules, const struct module *module, bool own)
{
    enum { MOST = sizeof modules->module / sizeof modules->module[0] };
    lock_take(&runtimes_lock);
    uint32_t at = modules->count < MOST ? modules->count++ : 0;
    modules->module[at].start = module->start;
    modules->module[at].end = module->end;
    modules->module[at].own = own;
    lock_give(&runtimes_lock);
}

bool native_is_own(struct native_modules *modules, const void *address)
{
    struct module module;
    int answer = recall(modules, (uint64_t)(uintptr_t)address);
    if (answer != UNKNOWN)
        return answer;
    if (!module_find((uint64_t)(uintptr_t)address, &module))
        return false;
    bool own = modules->is_own(&module);
    remember(modules, &module, own);
    return own;
}
