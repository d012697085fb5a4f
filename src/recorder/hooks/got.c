// Global offset tables: see got.h. Knows modules, functions and stubs; not what a call does.
//
// A slot is rewritten only while its module is pinned (an extra dlopen), because another thread may
// unload it at any moment; the load address is compared after pinning. What a lazy slot would have
// been bound to is looked up here, because calling through the loader's lazy stub would overwrite
// our address.
#include "recorder/hooks/got.h"

#include <dlfcn.h>
#include <elf.h>
#include <link.h>
#include <string.h>
#include <sys/mman.h>

#include "recorder/core/arena.h"
#include "recorder/core/recorder.h"
#include "recorder/hooks/hook.h"
#include "recorder/hooks/patch.h"
#include "recorder/hooks/sqlite.h"
#include "recorder/stacks/modules.h"
#include "recorder/stacks/unwind.h"

enum {
    JUMP_SLOT = ARCH_RELOCATION_JUMP_SLOT,
    GLOB_DAT = ARCH_RELOCATION_GLOB_DAT,
    ABSOLUTE = ARCH_RELOCATION_ABSOLUTE,
};

struct lock got_lock = LOCK_INITIALIZER; // guards stubs and patches

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

struct patch {
    uint64_t *slot;
    uint64_t original, installed;
    uint64_t bias; // of the module, and its name: to pin it again
    const char *name;
    struct patch *next;
};
static struct patch *patches;

void got_name_exported(void)
{
    // After another attach the stubs are used again.
    for (uint32_t i = 0; i < hook_count; i++) {
        const struct function *function = function_find(hooks[i].function->name);
        if (function)
            hooks[i].function = function;
    }
}

bool got_any_traced(void)
{
    return any_traced;
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

uint64_t got_stub(const struct function *function, uint64_t real, const struct module *caller)
{
    uint64_t caller_start = caller ? caller->start : 0;
    lock_take(&got_lock);
    uint32_t index = stub_find(function, real, caller_start);
    lock_give(&got_lock);
    if (index == 0) {
        // The loader is asked without the lock: its own is taken by threads that wait for ours.
        const struct sqlite_api *sqlite = sqlite_api_of(function, real);
        lock_take(&got_lock);
        index = stub_find(function, real, caller_start);
        if (index == 0)
            index = stub_number();
        if (index != 0)
            hooks[index] = (struct hook){function, real, real, caller_start, sqlite};
        lock_give(&got_lock);
    }
    if (index == 0)
        recorder_lost(TRACE_LOST_STUBS);
    return index ? hook_stub(index) : 0;
}

struct hook *got_hook(const struct function *function, uint64_t entry,
                      const struct sqlite_api *sqlite)
{
    lock_take(&got_lock);
    uint32_t index = stub_find(function, entry, 0);
    if (index == 0 && (index = stub_number()) != 0)
        hooks[index] = (struct hook){function, entry, entry, 0, sqlite};
    if (index != 0 && function->special == FUNCTION_TRACED)
        any_traced = true;
    lock_give(&got_lock);
    return index ? &hooks[index] : NULL;
}

// Pins the module of this name and load address. NULL: it is gone, or another one has the name.
static void *pin(const char *name, uint64_t bias)
{
    void *handle = dlopen(name[0] ? name : NULL, RTLD_LAZY | RTLD_NOLOAD);
    struct link_map *map = NULL;
    if (handle && (dlinfo(handle, RTLD_DI_LINKMAP, &map) != 0 || map->l_addr != bias)) {
        (void)dlclose(handle);
        return NULL;
    }
    return handle;
}

static void unpin(void **handle)
{
    if (*handle)
        (void)dlclose(*handle);
}

static bool is_ours(const void *address)
{
    return unwind_is_own((uint64_t)(uintptr_t)address);
}

// What the loader would bind `name` to for the module `handle`, were we not there.
static uint64_t resolve(const char *name, void *handle, bool deep)
{
    for (int pass = 0; pass < 2; pass++) {
        bool own_scope = (pass == 0) == deep;
        void *found = dlsym(own_scope ? handle : RTLD_NEXT, name);
        if (found && !is_ours(found))
            return (uint64_t)(uintptr_t)found;
    }
    // Attached: we are not in front of anything, and the global scope is not behind us.
    void *found = dlsym(RTLD_DEFAULT, name);
    return found && !is_ours(found) ? (uint64_t)(uintptr_t)found : 0;
}

uint64_t got_resolve(const char *name, uint64_t caller)
{
    struct module module;
    (void)modules_refresh();
    if (!module_find(caller, &module))
        return 0;
    __attribute__((cleanup(unpin))) void *handle = pin(module.name, module.bias);
    uint64_t real = handle ? resolve(name, handle, false) : 0;
    (void)dlerror();
    return real;
}

struct tables { // of a module's dynamic section
    const ElfW(Sym) * symbols;
    const char *strings;
    const ElfW(Rela) * plt, *relocations;
    size_t plt_bytes, relocation_bytes;
};

// The loader turns the addresses in a dynamic section into real ones, but not for every module.
static const void *dynamic_address(const struct module *module, uint64_t value)
{
    return (const void *)(value < module->bias ? value + module->bias : value); // NOLINT
}

static struct tables read_tables(const struct module *module)
{
    struct tables tables = {0};
    for (const ElfW(Dyn) *entry = module->dynamic; entry && entry->d_tag != DT_NULL; entry++) {
        uint64_t value = entry->d_un.d_val;
        switch (entry->d_tag) {
        case DT_SYMTAB:
            tables.symbols = dynamic_address(module, value);
            break;
        case DT_STRTAB:
            tables.strings = dynamic_address(module, value);
            break;
        case DT_JMPREL:
            tables.plt = dynamic_address(module, value);
            break;
        case DT_PLTRELSZ:
            tables.plt_bytes = value;
            break;
        case DT_RELA:
            tables.relocations = dynamic_address(module, value);
            break;
        case DT_RELASZ:
            tables.relocation_bytes = value;
            break;
        default:
            break;
        }
    }
    if (!tables.symbols || !tables.strings)
        tables.plt_bytes = tables.relocation_bytes = 0;
    return tables;
}

struct patching {
    const struct module *module;
    void *handle;
    bool deep;
};

// Makes the part of a module that is read-only after relocation writable, or not any more, if the
// slot lies there. got_lock is held in between: another thread may do the same to this module.
// false: the slot cannot be written to.
static bool protect(const struct module *module, const uint64_t *slot, int protection)
{
    uint64_t address = (uint64_t)(uintptr_t)slot;
    if (address < module->relro_start || address >= module->relro_end)
        return true;
    return mprotect((void *)module->relro_start, module->relro_end - module->relro_start, // NOLINT
                    protection) == 0;
}

static bool is_inside(const struct module *module, uint64_t value)
{
    return value >= module->start && value < module->end;
}

static bool is_lazy(const struct module *module, uint64_t value)
{
    return value >= module->text_start && value + 16 <= module->text_end &&
           arch_is_lazy_stub((const unsigned char *)value); // NOLINT(performance-no-int-to-ptr)
}

// The module has put a function of its own there: it is not to be left out.
static bool is_changed(const struct module *module, const ElfW(Sym) * symbol, uint64_t value)
{
    return is_inside(module, value) &&
           (symbol->st_shndx == SHN_UNDEF || value != module->bias + symbol->st_value);
}

static void install(const struct module *module, uint64_t *slot, uint64_t value)
{
    struct patch *patch = arena_alloc(sizeof *patch);
    if (!patch)
        return;
    lock_take(&got_lock);
    if (protect(module, slot, PROT_READ | PROT_WRITE)) {
        *patch = (struct patch){slot, *slot, value, module->bias, module->name, patches};
        __atomic_store_n(slot, value, __ATOMIC_RELEASE);
        patches = patch;
        patch = NULL;
        (void)protect(module, slot, PROT_READ);
    }
    lock_give(&got_lock);
    arena_free(patch, sizeof *patch);
}

static bool depends_on_caller(const struct function *function)
{
    return function->special >= FUNCTION_DLOPEN && function->special <= FUNCTION_DLVSYM;
}

static void patch_slot(const struct patching *patching, const struct function *function,
                       const ElfW(Sym) * symbol, const ElfW(Rela) * relocation)
{
    const struct module *module = patching->module;
    uint64_t *slot = (uint64_t *)(module->bias + relocation->r_offset); // NOLINT
    uint64_t real = *slot;
    bool lazy = ELF64_R_TYPE(relocation->r_info) == JUMP_SLOT && is_lazy(module, real);
    if (relocation->r_addend != 0 && ELF64_R_TYPE(relocation->r_info) == ABSOLUTE)
        return; // an address inside the function
    if (!lazy && ELF64_R_TYPE(relocation->r_info) == JUMP_SLOT && is_changed(module, symbol, real))
        return;
    if (lazy || unwind_is_own(real)) {
        bool absent = unwind_is_own(real);
        real = resolve(function->name, patching->handle, patching->deep);
        if (real == 0 && absent && ELF64_ST_BIND(symbol->st_info) == STB_WEAK) {
            install(module, slot, 0); // the program asks whether SQLite is there: it is not
            return;
        }
    }
    if (real == 0)
        return;
    uint64_t stub = got_stub(function, real, depends_on_caller(function) ? module : NULL);
    if (stub == 0)
        return;
    if (function->special == FUNCTION_TRACED) {
        any_traced = true;
        struct trace_function *record = function_record(function);
        if (record)
            __atomic_add_fetch(&record->hooked, 1, __ATOMIC_RELAXED);
    }
    install(module, slot, stub);
}

static void patch_table(const struct patching *patching, const struct tables *tables,
                        const ElfW(Rela) * relocations, size_t bytes)
{
    for (size_t i = 0; relocations && i < bytes / sizeof *relocations; i++) {
        uint64_t type = ELF64_R_TYPE(relocations[i].r_info);
        uint64_t number = ELF64_R_SYM(relocations[i].r_info);
        if (number == 0 || (type != JUMP_SLOT && type != GLOB_DAT && type != ABSOLUTE))
            continue;
        const ElfW(Sym) *symbol = &tables->symbols[number];
        const struct function *function = function_find(tables->strings + symbol->st_name);
        if (function)
            patch_slot(patching, function, symbol, &relocations[i]);
    }
}

static void hook_module(const struct module *module, void *data)
{
    const bool *deep = data;
    if (!module->dynamic || unwind_is_own(module->text_start) ||
        strncmp(module->name, "linux-vdso", 10) == 0)
        return;
    __attribute__((cleanup(unpin))) void *handle = pin(module->name, module->bias);
    if (!handle)
        return;
    patches_module(module);
    const struct patching patching = {.module = module, .handle = handle, .deep = *deep};
    struct tables tables = read_tables(module);
    patch_table(&patching, &tables, tables.plt, tables.plt_bytes);
    patch_table(&patching, &tables, tables.relocations, tables.relocation_bytes);
}

// The slots of modules that were unloaded are no longer ours to restore.
static void drop_unmapped(void)
{
    struct module module;
    lock_take(&got_lock);
    for (struct patch **at = &patches; *at;) {
        struct patch *patch = *at;
        if (module_find((uint64_t)(uintptr_t)patch->slot, &module) && module.hooked) {
            at = &patch->next;
        } else {
            *at = patch->next;
            arena_free(patch, sizeof *patch);
        }
    }
    patches_drop_unmapped();
    lock_give(&got_lock);
}

void got_hook_modules(bool deep)
{
    if (modules_refresh())
        drop_unmapped();
    modules_visit_unhooked(hook_module, &deep);
    (void)dlerror(); // what failed above was ours
}

static void restore(const struct patch *patch)
{
    __attribute__((cleanup(unpin))) void *handle = pin(patch->name, patch->bias);
    struct module module;
    uint64_t address = (uint64_t)(uintptr_t)patch->slot;
    if (!handle || !module_find(address, &module))
        return;
    uint64_t expected = patch->installed;
    lock_take(&got_lock);
    if (protect(&module, patch->slot, PROT_READ | PROT_WRITE)) {
        __atomic_compare_exchange_n(patch->slot, &expected, patch->original, false,
                                    __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
        (void)protect(&module, patch->slot, PROT_READ);
    }
    lock_give(&got_lock);
}

void got_unhook_all(void)
{
    lock_take(&got_lock);
    struct patch *list = patches, *next;
    patches = NULL;
    lock_give(&got_lock);
    for (; list; list = next) {
        next = list->next;
        restore(list);
        arena_free(list, sizeof *list);
    }
    modules_forget_hooks();
    (void)dlerror();
}
