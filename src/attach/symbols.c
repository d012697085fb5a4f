// Symbols, build-ids and code of a target's modules, read from its memory. See target.h.
//
// The hash table is the one of `ld --hash-style=gnu`: a header of four words (buckets, first hashed
// symbol, Bloom words, Bloom shift), the Bloom filter, the buckets, the chains.
#include "attach/target.h"

#include <elf.h>
#include <link.h>
#include <string.h>

enum { CHAIN_LIMIT = 1 << 20, SYMBOL_NAME_BYTES = 128 };

static uint32_t name_hash(const char *name)
{
    uint32_t hash = 5381;
    for (; *name != '\0'; name++)
        hash = hash * 33 + (unsigned char)*name;
    return hash;
}

// Whether symbol `index` is a definition of `name`; its address and size.
static bool symbol_is(const struct target *target, const struct module *module, uint32_t index,
                      const char *name, uint64_t *address, uint64_t *size)
{
    ElfW(Sym) symbol;
    char text[SYMBOL_NAME_BYTES];
    const uint64_t place = module->symbols + (uint64_t)index * sizeof symbol;
    if (target_read(target, place, &symbol, sizeof symbol) != 0 || symbol.st_shndx == SHN_UNDEF)
        return false;
    if (target_read_text(target, module->strings + symbol.st_name, text, sizeof text) != 0 ||
        strcmp(text, name) != 0)
        return false;
    *address = module->base + symbol.st_value;
    if (size != NULL)
        *size = symbol.st_size;
    return true;
}

uint64_t module_symbol(const struct target *target, const struct module *module, const char *name,
                       uint64_t *size)
{
    struct {
        uint32_t buckets, first, bloom_words, bloom_shift;
    } table;
    if (module->hash == 0 || module->symbols == 0 || module->strings == 0 ||
        target_read(target, module->hash, &table, sizeof table) != 0 || table.buckets == 0)
        return 0;
    const uint32_t hash = name_hash(name);
    const uint64_t buckets =
        module->hash + sizeof table + (uint64_t)table.bloom_words * sizeof(ElfW(Addr));
    const uint64_t chains = buckets + (uint64_t)table.buckets * sizeof(uint32_t);
    uint32_t index = 0;
    if (target_read(target, buckets + (uint64_t)(hash % table.buckets) * sizeof index, &index,
                    sizeof index) != 0 ||
        index < table.first)
        return 0;
    for (int i = 0; i < CHAIN_LIMIT; i++, index++) {
        uint32_t entry = 0;
        uint64_t address = 0;
        const uint64_t place = chains + (uint64_t)(index - table.first) * sizeof entry;
        if (target_read(target, place, &entry, sizeof entry) != 0)
            return 0;
        if ((entry | 1) == (hash | 1) && symbol_is(target, module, index, name, &address, size))
            return address;
        if ((entry & 1) != 0)
            return 0; // the last of its chain
    }
    return 0;
}

uint64_t target_symbol(const struct target *target, const char *name)
{
    for (size_t i = 0; i < target->module_count; i++) {
        const uint64_t address = module_symbol(target, &target->modules[i], name, NULL);
        if (address != 0)
            return address;
    }
    return 0;
}

// Looks through the notes at [address, address + bytes). Result: length of the build-id or 0.
static size_t find_build_id(const struct target *target, uint64_t address, uint64_t bytes,
                            uint8_t id[MODULE_BUILD_ID_BYTES])
{
    const uint64_t end = address + bytes;
    while (address + sizeof(ElfW(Nhdr)) <= end) {
        ElfW(Nhdr) note;
        char name[4] = "";
        if (target_read(target, address, &note, sizeof note) != 0)
            return 0;
        const uint64_t text = address + sizeof note;
        const uint64_t data = text + ((note.n_namesz + 3ULL) & ~3ULL);
        if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == sizeof name &&
            note.n_descsz <= MODULE_BUILD_ID_BYTES &&
            target_read(target, text, name, sizeof name) == 0 && memcmp(name, "GNU", 4) == 0 &&
            target_read(target, data, id, note.n_descsz) == 0)
            return note.n_descsz;
        address = data + ((note.n_descsz + 3ULL) & ~3ULL);
    }
    return 0;
}

size_t module_build_id(const struct target *target, const struct module *module,
                       uint8_t id[MODULE_BUILD_ID_BYTES])
{
    for (uint32_t i = 0; i < module->header_count; i++) {
        ElfW(Phdr) header;
        if (target_read(target, module->headers + i * sizeof header, &header, sizeof header) != 0)
            return 0;
        if (header.p_type != PT_NOTE)
            continue;
        const size_t length =
            find_build_id(target, module->base + header.p_vaddr, header.p_memsz, id);
        if (length != 0)
            return length;
    }
    return 0;
}

// The first place of the bytes in `window`, which is from `at`; NULL: none.
static const uint8_t *find_aligned(const uint8_t *window, size_t window_bytes, uint64_t at,
                                   const uint8_t *bytes, size_t length, size_t align)
{
    const uint8_t *from = window;
    const uint8_t *const end = window + window_bytes;
    while ((from = memmem(from, (size_t)(end - from), bytes, length)) != NULL) {
        if ((at + (uint64_t)(from - window)) % align == 0)
            return from;
        from++;
    }
    return NULL;
}

uint64_t module_find_code(const struct target *target, const struct module *module,
                          const uint8_t *bytes, size_t length, size_t align)
{
    enum { WINDOW = 65536 };
    static uint8_t window[WINDOW];
    for (uint64_t at = module->text_low; at + length <= module->text_high;) {
        const uint64_t left = module->text_high - at;
        const size_t part = left < WINDOW ? left : WINDOW;
        if (target_read(target, at, window, part) != 0)
            return 0;
        const uint8_t *found = find_aligned(window, part, at, bytes, length, align);
        if (found != NULL)
            return at + (uint64_t)(found - window);
        at += part - (part > length ? length - 1 : 0); // a match may lie across the edge
        if (left == part)
            break;
    }
    return 0;
}
