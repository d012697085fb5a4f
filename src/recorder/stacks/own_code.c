// Where the recorder's own code is: see own_code.h.
#include "recorder/stacks/own_code.h"

#include "recorder/core/loader.h"
#include <link.h>

struct own_code own_code;

// The mapping that has the address of one of our functions.
static int find_own(struct dl_phdr_info *info, size_t size, void *data)
{
    (void)size;
    uint64_t address = (uint64_t)(uintptr_t)data;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        uint64_t start = info->dlpi_addr + segment->p_vaddr;
        if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_X) || address < start ||
            address >= start + segment->p_memsz)
            continue;
        own_code = (struct own_code){start, segment->p_memsz};
        return 1;
    }
    return 0;
}

void own_code_find(void)
{
    (void)loader_each(find_own, (void *)(uintptr_t)own_code_find);
}
