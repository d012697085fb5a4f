// Native code of a runtime: see native.h.
#include "recorder/runtimes/native.h"

#include <elf.h>
#include <stdatomic.h>
#include <string.h>

#include "recorder/core/loader.h"
#include "recorder/core/peek.h"
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

// The header of .eh_frame_hdr as all linkers write it, and an entry of its sorted table: both
// distances are from the header. https://refspecs.linuxfoundation.org, LSB 5.0, 10.6.2.
struct unwind_header {
    uint8_t version, frames_as, count_as, table_as;
    int32_t frames;
    uint32_t count;
    struct {
        int32_t function, frame;
    } table[];
};
enum { UNSIGNED_4 = 0x03, SIGNED_4_FROM_HEADER = 0x3b };

static const struct unwind_header *unwind_header(const struct module *module)
{
    uint64_t word;
    const ElfW(Ehdr) *file = (const ElfW(Ehdr) *)module->start; // NOLINT
    if (!peek_word(module->start, UINT64_MAX, &word) || memcmp(&word, ELFMAG, SELFMAG) != 0 ||
        file->e_phentsize != sizeof(ElfW(Phdr)))
        return NULL;
    const ElfW(Phdr) *segment = (const ElfW(Phdr) *)(module->start + file->e_phoff); // NOLINT
    for (unsigned i = 0; i < file->e_phnum; i++, segment++) {
        const struct unwind_header *header =
            (const void *)(module->bias + segment->p_vaddr); // NOLINT
        if (segment->p_type == PT_GNU_EH_FRAME)
            return header->version == 1 && header->count_as == UNSIGNED_4 &&
                           header->table_as == SIGNED_4_FROM_HEADER &&
                           header->count <= segment->p_memsz / sizeof header->table[0]
                       ? header
                       : NULL;
    }
    return NULL;
}

// Whether an entry for unwinding says that there is something on the stack before the first
// instruction, other than the return address: a function begins by going ahead
// (DW_CFA_advance_loc).
static bool is_part(const uint8_t *entry)
{
    enum { LENGTH = 4, HEAD = 16, GOES_AHEAD = 1, NOTHING = 0x00, FROM = 0x02, TO = 0x04 };
    uint32_t bytes;
    memcpy(&bytes, entry, sizeof bytes);
    const uint8_t *at = entry + LENGTH + HEAD - sizeof bytes;
    const uint8_t *end = entry + LENGTH + bytes;
    if (at >= end || *at > 0x7f)
        return false;
    at += 1 + *at; // what a language adds
    return at < end && *at >> 6 != GOES_AHEAD && *at != NOTHING && (*at < FROM || *at > TO);
}

uint64_t native_function_of(uint64_t address, const struct module *module, bool *part)
{
    *part = false;
    if (address - 1 < module->start || address - 1 >= module->end)
        return 0;
    const struct unwind_header *header = unwind_header(module);
    const uint64_t base = (uint64_t)(uintptr_t)header;
    uint32_t from = 0, to = header ? header->count : 0;
    while (from < to) {
        uint32_t middle = from + (to - from) / 2;
        if (base + (uint64_t)(int64_t)header->table[middle].function < address)
            from = middle + 1;
        else
            to = middle;
    }
    if (from == 0)
        return 0;
    *part = is_part((const uint8_t *)header + header->table[from - 1].frame);
    return base + (uint64_t)(int64_t)header->table[from - 1].function;
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
