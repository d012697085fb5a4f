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
#include "recorder/core/loader.h"
#include "recorder/core/log.h"
#include "recorder/core/recorder.h"
#include "recorder/hooks/hook.h"
#include "recorder/hooks/patch.h"
#include "recorder/hooks/sqlite_api.h"
#include "recorder/hooks/stubs.h"
#include "recorder/stacks/modules.h"
#include "recorder/stacks/own_code.h"
#include "recorder/stacks/unwind.h"

enum {
    JUMP_SLOT = ARCH_RELOCATION_JUMP_SLOT,
    GLOB_DAT = ARCH_RELOCATION_GLOB_DAT,
    ABSOLUTE = ARCH_RELOCATION_ABSOLUTE,
};

struct patch {
    uint64_t *slot;
    uint64_t original, installed;
    uint64_t bias; // of the module, and its name: to pin it again
    const char *name;
    struct patch *next;
};
static struct patch *patches;

// Pins the module of this name and load address. NULL: it is gone, or another one has the name.
static void *pin(const char *name, uint64_t bias)
{
    void *handle = loader_open(name[0] ? name : NULL, RTLD_LAZY | RTLD_NOLOAD);
    struct link_map *map = NULL;
    if (handle && (dlinfo(handle, RTLD_DI_LINKMAP, &map) != 0 || map->l_addr != bias)) {
        loader_close(handle);
        return NULL;
    }
    return handle;
}

static void unpin(void **handle)
{
    if (*handle)
        loader_close(*handle);
}

static bool is_ours(const void *address)
{
    return own_code_has((uint64_t)(uintptr_t)address);
}

// What the loader would bind `name` to for the module `handle`, were we not there.
static uint64_t resolve(const char *name, void *handle, bool deep)
{
    for (int pass = 0; pass < 2; pass++) {
        bool own_scope = (pass == 0) == deep;
        void *found = loader_symbol(own_scope ? handle : RTLD_NEXT, name);
        if (found && !is_ours(found))
            return (uint64_t)(uintptr_t)found;
    }
    // Attached: the recorder is not first in the global scope, so RTLD_NEXT does not find the rest.
    void *found = loader_symbol(RTLD_DEFAULT, name);
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
// slot lies there. hooks_lock is held in between: another thread may do the same to this module.
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
    lock_take(&hooks_lock);
    if (protect(module, slot, PROT_READ | PROT_WRITE)) {
        *patch = (struct patch){slot, *slot, value, module->bias, module->name, patches};
        __atomic_store_n(slot, value, __ATOMIC_RELEASE);
        patches = patch;
        patch = NULL;
        (void)protect(module, slot, PROT_READ);
    }
    lock_give(&hooks_lock);
    arena_free(patch, sizeof *patch);
}

static bool depends_on_caller(const struct function *function)
{
    return function->special >= FUNCTION_DLOPEN && function->special <= FUNCTION_DLVSYM;
}

// Each slot: a function may be called from several modules, in several copies.
static void say_hooked(const struct module *module, const struct function *function, uint64_t real)
{
    struct log log;
    struct module callee;
    if (!log_begin(&log, "hooked "))
        return;
    log_name(&log, function->name);
    log_text(&log, " in ");
    log_name(&log, module->path);
    log_text(&log, ", found in ");
    log_name(&log, module_find(real, &callee) ? callee.path : "no module");
    log_end(&log);
}

static void say_not_hooked(const struct module *module, const char *why)
{
    struct log log;
    if (!log_begin(&log, "not hooked: "))
        return;
    log_name(&log, module->path);
    log_text(&log, why);
    log_end(&log);
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
    if (lazy || own_code_has(real)) {
        bool absent = own_code_has(real);
        real = resolve(function->name, patching->handle, patching->deep);
        if (real == 0 && absent && ELF64_ST_BIND(symbol->st_info) == STB_WEAK) {
            install(module, slot, 0); // the program tests whether SQLite is there: it is not
            return;
        }
    }
    if (real == 0 ||
        (ELF64_R_TYPE(relocation->r_info) != ABSOLUTE && sqlite_api_is_own(function, module, real)))
        return;
    uint64_t stub = stub_of(function, real, depends_on_caller(function) ? module : NULL);
    if (stub == 0) {
        say_not_hooked(module, ": no stub is left, see the lost records");
        return;
    }
    if (function->special == FUNCTION_TRACED) {
        stubs_note_traced();
        modules_note_traced(module->start);
        struct trace_function *record = function_record(function);
        if (record)
            __atomic_add_fetch(&record->hooked, 1, __ATOMIC_RELAXED);
    }
    install(module, slot, stub);
    say_hooked(module, function, real);
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
        if (function && function->special == FUNCTION_JUMP)
            modules_note_jumps(patching->module->start);
        else if (function)
            patch_slot(patching, function, symbol, &relocations[i]);
    }
}

static void hook_module(const struct module *module, void *data)
{
    const bool *deep = data;
    if (!module->dynamic || own_code_has(module->text_start) ||
        strncmp(module->name, "linux-vdso", 10) == 0)
        return;
    __attribute__((cleanup(unpin))) void *handle = pin(module->name, module->bias);
    if (!handle) {
        say_not_hooked(module, ": the loader does not know it (any more)");
        return;
    }
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
    lock_take(&hooks_lock);
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
    lock_give(&hooks_lock);
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
    lock_take(&hooks_lock);
    if (protect(&module, patch->slot, PROT_READ | PROT_WRITE)) {
        __atomic_compare_exchange_n(patch->slot, &expected, patch->original, false,
                                    __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
        (void)protect(&module, patch->slot, PROT_READ);
    }
    lock_give(&hooks_lock);
}

void got_unhook_all(void)
{
    lock_take(&hooks_lock);
    struct patch *list = patches, *next;
    patches = NULL;
    lock_give(&hooks_lock);
    for (; list; list = next) {
        next = list->next;
        restore(list);
        arena_free(list, sizeof *list);
    }
    modules_forget_hooks();
    (void)dlerror();
}
