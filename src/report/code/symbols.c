// Looking up addresses with libdwfl: see symbols.h.
//
// One Dwfl per file, opened when first needed and shared by all processes and load addresses: the
// file is reported at a base of our choosing and addresses are moved there.
#include "report/code/symbols.h"

#include <dwarf.h>
#include <elfutils/libdw.h>
#include <elfutils/libdwfl.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "report/code/map.h"
#include "report/code/rights.h"

enum { BASE = 0x100000 }; // any page-aligned address but 0, which libdwfl takes for "choose one"

// Where separate debug information is looked for: next to the file, in .debug and in
// /usr/lib/debug, by build id and by debug link (libdwfl's own default).
static const Dwfl_Callbacks callbacks = {
    .find_elf = dwfl_build_id_find_elf,
    .find_debuginfo = dwfl_standard_find_debuginfo,
    .section_address = dwfl_offline_section_address,
};

// For files of others: a debug link may lead to anything, a FIFO too. By build id only.
static const Dwfl_Callbacks callbacks_of_others = {
    .find_elf = dwfl_build_id_find_elf,
    .find_debuginfo = dwfl_build_id_find_debuginfo,
    .section_address = dwfl_offline_section_address,
};

struct found {
    struct symbol *symbols;
    size_t count;
};

struct file {
    Dwfl *dwfl; // NULL: no usable file
    Dwfl_Module *module;
    GElf_Addr bias;
    struct map found; // by address
};

struct symbols {
    struct arena *arena;
    struct map files; // by path and build id
    LIST(const char *) problems;
    struct rights rights;
    bool of_others; // somebody else's than ours
};

struct symbols *symbols_new(struct arena *arena)
{
    struct symbols *symbols = arena_take(arena, sizeof *symbols);
    symbols->arena = arena;
    return symbols;
}

static void close_file(void *value, void *data)
{
    struct file *file = value;
    (void)data;
    if (file->dwfl)
        dwfl_end(file->dwfl);
    map_clear(&file->found);
}

void symbols_free(struct symbols *symbols)
{
    if (!symbols)
        return;
    map_each(&symbols->files, close_file, NULL);
    map_clear(&symbols->files);
}

void symbols_restrict(struct symbols *symbols, uid_t uid)
{
    if (!rights_add(&symbols->rights, uid))
        return;
    symbols->of_others |= uid != geteuid() && uid != 0;
    map_each(&symbols->files, close_file, NULL);
    map_clear(&symbols->files);
}

size_t symbols_problem_count(const struct symbols *symbols)
{
    return symbols->problems.count;
}

const char *symbols_problem(const struct symbols *symbols, size_t index)
{
    return symbols->problems.item[index];
}

enum opened { OPENED, MISSING, ANOTHER_FILE };

// Opens `path` and checks that it is the file meant.
static enum opened open_file(const struct symbols *symbols, struct file *file, const char *path,
                             const struct symbols_file *wanted)
{
    int fd = rights_open(&symbols->rights, path);
    if (fd < 0)
        return MISSING;
    Dwfl *dwfl = dwfl_begin(symbols->of_others ? &callbacks_of_others : &callbacks);
    if (!dwfl) {
        close(fd);
        return MISSING;
    }
    dwfl_report_begin(dwfl);
    // Takes over the descriptor if it succeeds.
    Dwfl_Module *module = dwfl_report_elf(dwfl, path, path, fd, BASE, false);
    if (!module)
        close(fd);
    dwfl_report_end(dwfl, NULL, NULL);
    GElf_Addr bias = 0;
    enum opened result = MISSING;
    if (module && dwfl_module_getelf(module, &bias)) {
        const unsigned char *id = NULL;
        GElf_Addr where;
        int bytes = dwfl_module_build_id(module, &id, &where);
        bool known = wanted->build_id && wanted->build_id_bytes > 0;
        bool same = known && bytes == (int)wanted->build_id_bytes &&
                    memcmp(id, wanted->build_id, wanted->build_id_bytes) == 0;
        result = !known || same ? OPENED : ANOTHER_FILE;
    }
    if (result != OPENED) {
        dwfl_end(dwfl);
        return result;
    }
    file->dwfl = dwfl;
    file->module = module;
    file->bias = bias;
    return OPENED;
}

static void open_first(struct symbols *symbols, struct file *file,
                       const struct symbols_file *wanted)
{
    // What /proc/self/fd/9 was to a process (the recorder of an attach) it is not to this one.
    const bool elsewhere = strncmp(wanted->path, "/proc/self/fd/", strlen("/proc/self/fd/")) == 0;
    enum opened result = MISSING;
    if (wanted->stand_in)
        result = open_file(symbols, file, wanted->stand_in, wanted);
    if (result != OPENED && !elsewhere)
        result = open_file(symbols, file, wanted->path, wanted);
    if (result == OPENED || elsewhere || wanted->path[0] != '/') // [vdso] and the like are no files
        return;
    *LIST_ADD(symbols->arena, &symbols->problems) =
        result == MISSING
            ? arena_format(symbols->arena,
                           "%s: cannot be read here, so its frames have no names; report on the "
                           "machine that was traced, with the file in place",
                           wanted->path)
            : arena_format(symbols->arena,
                           "%s: was replaced since the trace (its build id differs), so its frames "
                           "have no names; put the traced version back or trace again",
                           wanted->path);
}

static const char *file_key(struct arena *arena, const struct symbols_file *file)
{
    size_t length = strlen(file->path);
    char *key = arena_take(arena, length + 2 * file->build_id_bytes + 2);
    memcpy(key, file->path, length);
    key[length++] = ' ';
    for (size_t i = 0; i < file->build_id_bytes; i++) {
        key[length++] = "0123456789abcdef"[file->build_id[i] >> 4];
        key[length++] = "0123456789abcdef"[file->build_id[i] & 15];
    }
    return key;
}

static struct file *find_file(struct symbols *symbols, const struct symbols_file *wanted)
{
    const char *key = file_key(symbols->arena, wanted);
    struct file *file = map_get_text(&symbols->files, key);
    if (file)
        return file;
    file = arena_take(symbols->arena, sizeof *file);
    map_add_text(symbols->arena, &symbols->files, key, file);
    open_first(symbols, file, wanted);
    return file;
}

static const char *language_name(Dwarf_Die *unit)
{
    switch (unit ? dwarf_srclang(unit) : -1) {
    case DW_LANG_C:
    case DW_LANG_C89:
    case DW_LANG_C99:
    case DW_LANG_C11:
        return "c";
    case DW_LANG_C_plus_plus:
    case DW_LANG_C_plus_plus_03:
    case DW_LANG_C_plus_plus_11:
    case DW_LANG_C_plus_plus_14:
        return "c++";
    case DW_LANG_Rust:
        return "rust";
    case DW_LANG_Go:
        return "go";
    case DW_LANG_D:
        return "d";
    default:
        return "native";
    }
}

// The name of a class, namespace or function around another, or what stands for one without a name.
static const char *scope_name(Dwarf_Die *scope, bool of_call_operator)
{
    const char *name;
    switch (dwarf_tag(scope)) {
    case DW_TAG_namespace:
        return dwarf_diename(scope) ? dwarf_diename(scope) : "(anonymous namespace)";
    case DW_TAG_structure_type:
    case DW_TAG_class_type:
    case DW_TAG_union_type:
        name = dwarf_diename(scope);
        if (!name || strncmp(name, "<lambda", 7) == 0) // as gcc 13 and later call it
            return of_call_operator ? "{lambda}" : "{unnamed}";
        return name;
    case DW_TAG_subprogram:
        return dwarf_diename(scope);
    default:
        return NULL;
    }
}

// "shop::load::{lambda}::operator()": for functions that have no name for the linker, the scopes
// around the place where they were written.
static const char *qualified_name(struct arena *arena, Dwarf_Die *die, const char *name)
{
    Dwarf_Attribute attribute;
    Dwarf_Die written = *die;
    // First to the function as it was written, then to its declaration in the class.
    while (dwarf_formref_die(dwarf_attr(&written, DW_AT_abstract_origin, &attribute), &written))
        ;
    (void)dwarf_formref_die(dwarf_attr(&written, DW_AT_specification, &attribute), &written);
    bool call_operator = strcmp(name, "operator()") == 0;
    Dwarf_Die *scopes = NULL;
    int count = dwarf_getscopes_die(&written, &scopes);
    const char *full = arena_text(arena, name); // outlives the file
    for (int i = 1; i < count; i++) {
        const char *scope = scope_name(&scopes[i], call_operator && i == 1);
        if (scope)
            full = arena_format(arena, "%s::%s", scope, full);
    }
    free(scopes);
    return full;
}

// "{lambda(int)#1}" as "{lambda}": an optimizing compiler leaves out the name for the linker, and
// one function is to have one name. Which lambda it is says the line.
static const char *plain_lambdas(struct arena *arena, const char *name)
{
    static const char begin[] = "{lambda";
    char *plain = arena_format(arena, "%s", name), *to = plain;
    for (const char *at = name; *at;) {
        if (strncmp(at, begin, sizeof begin - 1) != 0) {
            *to++ = *at++;
            continue;
        }
        const char *end = at;
        int depth = 0;
        do
            depth += (*end == '{') - (*end == '}');
        while (*end++ && depth > 0);
        if (depth > 0)
            return name;
        to = stpcpy(to, "{lambda}");
        at = end;
    }
    *to = 0;
    return plain;
}

static const char *die_function(struct arena *arena, Dwarf_Die *die, const char *language,
                                const char **signature)
{
    static const unsigned names[] = {DW_AT_linkage_name, DW_AT_MIPS_linkage_name};
    Dwarf_Attribute attribute;
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
        const char *name = dwarf_formstring(dwarf_attr_integrate(die, names[i], &attribute));
        if (name)
            return plain_lambdas(arena, symbols_demangle(arena, name, signature));
    }
    const char *name = dwarf_diename(die);
    if (!name)
        return NULL;
    return strcmp(language, "c++") == 0 ? qualified_name(arena, die, name)
                                        : arena_text(arena, name);
}

// Takes "x/../" and "./" out of a path, as build systems put them in. A symbolic link may make
// another file of it: then the path stays as it was.
static const char *without_detours(struct arena *arena, const char *path)
{
    char *tidy = arena_format(arena, "%s", path);
    char *to = tidy;
    for (const char *at = path; *at;) {
        size_t length = strcspn(at + 1, "/") + 1; // with the slash in front
        bool up = length == 3 && strncmp(at, "/..", 3) == 0;
        bool here = length == 2 && strncmp(at, "/.", 2) == 0;
        if (up) {
            while (to > tidy && *--to != '/')
                continue;
        } else if (!here) {
            memcpy(to, at, length);
            to += length;
        }
        at += length;
    }
    *to = 0;
    return access(tidy, F_OK) == 0 || access(path, F_OK) != 0 ? tidy : path;
}

// Source files are named relative to the directory of compilation.
static const char *full_path(struct arena *arena, Dwarf_Die *unit, const char *name)
{
    Dwarf_Attribute attribute;
    const char *directory = dwarf_formstring(dwarf_attr(unit, DW_AT_comp_dir, &attribute));
    if (name[0] == '/')
        return without_detours(arena, arena_text(arena, name));
    if (!directory)
        return arena_text(arena, name);
    return without_detours(arena, arena_format(arena, "%s/%s", directory, name));
}

struct line {
    const char *file;
    unsigned number;
};

static struct line address_line(struct arena *arena, Dwarf_Die *unit, Dwarf_Addr address)
{
    struct line line = {0};
    Dwarf_Line *source = dwarf_getsrc_die(unit, address);
    const char *name = source ? dwarf_linesrc(source, NULL, NULL) : NULL;
    int number = 0;
    if (name && dwarf_lineno(source, &number) == 0) {
        line.file = full_path(arena, unit, name);
        line.number = (unsigned)number;
    }
    return line;
}

// Where an inlined function was called from.
static struct line call_line(struct arena *arena, Dwarf_Die *unit, Dwarf_Die *inlined)
{
    struct line line = {0};
    Dwarf_Attribute attribute;
    Dwarf_Word index, number;
    Dwarf_Files *files;
    if (dwarf_formudata(dwarf_attr(inlined, DW_AT_call_file, &attribute), &index) == 0 &&
        dwarf_getsrcfiles(unit, &files, NULL) == 0) {
        const char *name = dwarf_filesrc(files, index, NULL, NULL);
        if (name)
            line.file = full_path(arena, unit, name);
    }
    if (dwarf_formudata(dwarf_attr(inlined, DW_AT_call_line, &attribute), &number) == 0)
        line.number = (unsigned)number;
    return line;
}

// The scopes around an address, innermost first, as they lie in the code. dwarf_getscopes goes on
// with the place where an inlined function was written; its first scope, asked again, leads to the
// place where it was inlined.
static int code_scopes(Dwarf_Die *unit, Dwarf_Addr address, Dwarf_Die **scopes)
{
    Dwarf_Die *written = NULL;
    int count = dwarf_getscopes(unit, address, &written);
    if (count <= 0)
        return 0;
    Dwarf_Die innermost = written[0];
    free(written);
    count = dwarf_getscopes_die(&innermost, scopes);
    return count < 0 ? 0 : count;
}

static size_t find_in_dwarf(struct symbols *symbols, struct file *file, GElf_Addr address,
                            struct found *found)
{
    Dwarf_Addr bias = 0;
    Dwarf_Die *unit = dwfl_module_addrdie(file->module, address, &bias);
    if (!unit)
        return 0;
    struct arena *arena = symbols->arena;
    struct line line = address_line(arena, unit, address - bias);
    const char *language = language_name(unit);
    LIST(struct symbol) list = {0};
    Dwarf_Die *scopes = NULL;
    int count = code_scopes(unit, address - bias, &scopes);
    for (int i = 0; i < count; i++) {
        int tag = dwarf_tag(&scopes[i]);
        if (tag != DW_TAG_inlined_subroutine && tag != DW_TAG_subprogram)
            continue;
        struct symbol symbol = {
            .file = line.file,
            .line = line.number,
            .language = language,
            .inlined = tag == DW_TAG_inlined_subroutine,
        };
        symbol.function = die_function(arena, &scopes[i], language, &symbol.signature);
        *LIST_ADD(arena, &list) = symbol;
        if (tag == DW_TAG_subprogram)
            break;
        line = call_line(arena, unit, &scopes[i]);
    }
    free(scopes);
    // Code without a function around it: assembler. Where the unit does not reach, the line is only
    // the nearest one.
    if (list.count == 0 && line.file && dwarf_haspc(unit, address - bias) > 0)
        *LIST_ADD(arena, &list) =
            (struct symbol){.file = line.file, .line = line.number, .language = "native"};
    found->symbols = list.item;
    return list.count;
}

// Fills in the function from the symbol table: all of it for files without debug information, the
// parameters for functions whose debug information does not hold the linker's name (static ones).
static void name_by_symbol_table(struct symbols *symbols, struct file *file, GElf_Addr address,
                                 struct symbol *symbol)
{
    GElf_Off offset;
    GElf_Sym entry;
    const char *name =
        dwfl_module_addrinfo(file->module, address, &offset, &entry, NULL, NULL, NULL);
    // Beyond the end of a sized symbol it is only the nearest one, which would be a wrong name.
    if (!name || (entry.st_size > 0 && offset >= entry.st_size))
        return;
    const char *function = symbols_demangle(symbols->arena, name, &symbol->signature);
    if (symbol->function)
        return;
    // Unoptimized code of a lambda may have a line but no function around it in what gcc writes.
    symbol->function = symbol->file ? plain_lambdas(symbols->arena, function) : function;
    if (strncmp(name, "_Z", 2) == 0)
        symbol->language = "c++";
}

// Each look at the table passes over all of it.
static bool needs_symbol_table(const struct symbol *symbol)
{
    return !symbol->function || (!symbol->signature && strcmp(symbol->language, "c++") == 0);
}

static struct found *look_up(struct symbols *symbols, struct file *file, uint64_t address)
{
    struct found *found = arena_take(symbols->arena, sizeof *found);
    if (file->dwfl)
        found->count = find_in_dwarf(symbols, file, address + file->bias, found);
    if (found->count == 0) {
        found->symbols = arena_take(symbols->arena, sizeof *found->symbols);
        found->symbols->language = "native";
        found->count = 1;
    }
    struct symbol *outermost = &found->symbols[found->count - 1];
    if (needs_symbol_table(outermost) && file->dwfl)
        name_by_symbol_table(symbols, file, address + file->bias, outermost);
    return found;
}

const struct symbol *symbols_find(struct symbols *symbols, const struct symbols_file *file,
                                  uint64_t address, size_t *count)
{
    struct file *opened = find_file(symbols, file);
    struct found *found = map_get(&opened->found, &address, sizeof address);
    if (!found) {
        found = look_up(symbols, opened, address);
        map_add(symbols->arena, &opened->found, &address, sizeof address, found);
    }
    *count = found->count;
    return found->symbols;
}
