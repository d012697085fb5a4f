// See symbols.h. Source on the names of copies: GCC's manual on -fipa-cp-clone, -fipa-sra and
// -fpartial-inlining.
#include "cli/run/symbols.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <fcntl.h>
#include <gelf.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FILE_MOST = 1 << 30, DEPTH_MOST = 32 };

static bool is_copy(const char *symbol, const char *name)
{
    static const char *const ends[] = {".constprop.", ".isra.", ".part.", ".cold"};
    const size_t length = strlen(name);
    if (strncmp(symbol, name, length) != 0)
        return false;
    for (size_t i = 0; i < sizeof ends / sizeof *ends; i++)
        if (strncmp(symbol + length, ends[i], strlen(ends[i])) == 0)
            return strcmp(ends[i], ".cold") != 0; // the rest of a function that is there as well
    return false;
}

// Looks through one table of symbols.
static enum symbol_place find_in(Elf *elf, Elf_Scn *section, const GElf_Shdr *header,
                                 const char *name, char *detail)
{
    enum symbol_place found = SYMBOL_NOWHERE;
    Elf_Data *data = elf_getdata(section, NULL);
    const size_t count = header->sh_entsize > 0 && data ? data->d_size / header->sh_entsize : 0;
    for (size_t i = 0; i < count; i++) {
        GElf_Sym symbol;
        const char *text = gelf_getsym(data, (int)i, &symbol)
                               ? elf_strptr(elf, header->sh_link, symbol.st_name)
                               : NULL;
        if (!text)
            continue;
        if (strcmp(text, name) == 0)
            return header->sh_type == SHT_DYNSYM ? SYMBOL_DYNAMIC : SYMBOL_LOCAL;
        if (found == SYMBOL_NOWHERE && is_copy(text, name)) {
            found = SYMBOL_CLONED;
            (void)snprintf(detail, SYMBOL_DETAIL_BYTES, "%s", text);
        }
    }
    return found;
}

static enum symbol_place find_symbol(Elf *elf, const char *name, char *detail)
{
    enum symbol_place best = SYMBOL_NOWHERE;
    for (Elf_Scn *section = NULL; (section = elf_nextscn(elf, section));) {
        GElf_Shdr header;
        if (!gelf_getshdr(section, &header) ||
            (header.sh_type != SHT_DYNSYM && header.sh_type != SHT_SYMTAB))
            continue;
        const enum symbol_place place = find_in(elf, section, &header, name, detail);
        if (place > best)
            best = place;
    }
    return best;
}

// Below `die`, a call of `name` that was inlined. in: the function it is in, if found.
static bool find_inlined(Dwarf_Die *die, const char *name, const char *in, int depth, char *detail)
{
    Dwarf_Die child, origin;
    Dwarf_Attribute attribute;
    if (depth > DEPTH_MOST || dwarf_child(die, &child) != 0)
        return false;
    do {
        const int tag = dwarf_tag(&child);
        const char *function = in;
        if (tag == DW_TAG_subprogram) {
            function = dwarf_diename(&child);
        } else if (tag == DW_TAG_inlined_subroutine &&
                   dwarf_formref_die(
                       dwarf_attr_integrate(&child, DW_AT_abstract_origin, &attribute), &origin)) {
            const char *inlined = dwarf_diename(&origin);
            if (inlined && strcmp(inlined, name) == 0 && in) {
                (void)snprintf(detail, SYMBOL_DETAIL_BYTES, "%s", in);
                return true;
            }
            function = inlined; // into which in turn something is inlined
        }
        if (find_inlined(&child, name, function, depth + 1, detail))
            return true;
    } while (dwarf_siblingof(&child, &child) == 0);
    return false;
}

static bool find_in_dwarf(Elf *elf, const char *name, char *detail)
{
    Dwarf *dwarf = dwarf_begin_elf(elf, DWARF_C_READ, NULL);
    Dwarf_CU *unit = NULL;
    Dwarf_Die die;
    bool found = false;
    while (dwarf && !found && dwarf_get_units(dwarf, unit, &unit, NULL, NULL, &die, NULL) == 0)
        found = find_inlined(&die, name, NULL, 0, detail);
    if (dwarf)
        (void)dwarf_end(dwarf);
    return found;
}

enum symbol_place symbol_find(const char *path, const char *name, bool deep,
                              char detail[SYMBOL_DETAIL_BYTES])
{
    struct stat status;
    enum symbol_place place = SYMBOL_NOWHERE;
    detail[0] = '\0';
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return place;
    if (elf_version(EV_CURRENT) != EV_NONE && fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
        status.st_size <= FILE_MOST) {
        Elf *elf = elf_begin(fd, ELF_C_READ, NULL); // not mapped: it may be cut meanwhile
        if (elf && elf_kind(elf) == ELF_K_ELF) {
            place = find_symbol(elf, name, detail);
            if (deep && place == SYMBOL_NOWHERE && find_in_dwarf(elf, name, detail))
                place = SYMBOL_INLINED;
        }
        if (elf)
            (void)elf_end(elf);
    }
    (void)close(fd);
    return place;
}
