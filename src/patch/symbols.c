// See symbols.h.
#include "patch/symbols.h"

#include <elf.h>
#include <elfutils/libdwfl.h>
#include <stdlib.h>
#include <string.h>

enum { BASE = 0x100000 }; // any page-aligned address but 0, which libdwfl takes for "choose one"

static const Dwfl_Callbacks callbacks = {
    .find_elf = dwfl_build_id_find_elf,
    .find_debuginfo = dwfl_standard_find_debuginfo,
    .section_address = dwfl_offline_section_address,
};

static bool visit_module(Dwfl_Module *module,
                         void (*visit)(const struct function_symbol *symbol, void *data),
                         void *data)
{
    GElf_Addr bias = 0;
    if (!dwfl_module_getelf(module, &bias))
        return false;
    const int count = dwfl_module_getsymtab(module);
    // Names for the dynamic linker only: at most a section's symbol is in front of those.
    const bool all = dwfl_module_getsymtab_first_global(module) > 2;
    for (int i = 1; i < count; i++) {
        GElf_Sym symbol;
        GElf_Addr address = 0;
        GElf_Word section = SHN_UNDEF;
        const char *name =
            dwfl_module_getsym_info(module, i, &symbol, &address, &section, NULL, NULL);
        if (!name || section == SHN_UNDEF)
            continue;
        if (GELF_ST_TYPE(symbol.st_info) != STT_FUNC || name[0] == '\0')
            continue;
        const struct function_symbol found = {
            .name = name,
            .address = address - bias,
            .size = symbol.st_size,
            .local = GELF_ST_BIND(symbol.st_info) == STB_LOCAL,
            .hidden = GELF_ST_VISIBILITY(symbol.st_other) == STV_HIDDEN,
        };
        visit(&found, data);
    }
    return all;
}

bool function_symbols(const char *path,
                      void (*visit)(const struct function_symbol *symbol, void *data), void *data)
{
    // No server is asked for debug information: that may take as long as it likes.
    const char *servers = getenv("DEBUGINFOD_URLS");
    char *kept = servers ? strdup(servers) : NULL;
    bool any = false;
    (void)unsetenv("DEBUGINFOD_URLS");
    Dwfl *dwfl = dwfl_begin(&callbacks);
    if (dwfl) {
        dwfl_report_begin(dwfl);
        Dwfl_Module *module = dwfl_report_elf(dwfl, "", path, -1, BASE, false);
        dwfl_report_end(dwfl, NULL, NULL);
        any = module && visit_module(module, visit, data);
        dwfl_end(dwfl);
    }
    if (kept)
        (void)setenv("DEBUGINFOD_URLS", kept, 1);
    free(kept);
    return any;
}
