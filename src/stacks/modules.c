// The modules of a live process: see modules.h. The format of maps is in proc(5).
#include "stacks/modules.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "attach/process.h"

enum { PAGE = 4096, HEADERS_MOST = 128, IMAGE_MOST = 256 << 20 };

static const char deleted[] = " (deleted)";

// One line of maps. false: it is not the mapping of a file or of the vDSO.
static bool parse_line(const char *line, struct modules_part *part, uint64_t *inode, int *name)
{
    *name = 0;
    // NOLINTNEXTLINE(cert-err34-c): the kernel's own numbers
    if (sscanf(line, "%" SCNx64 "-%" SCNx64 " %*s %" SCNx64 " %*s %" SCNu64 " %n", &part->start,
               &part->end, &part->offset, inode, name) < 4 ||
        *name == 0)
        return false;
    return line[*name] == '/' || strcmp(line + *name, "[vdso]") == 0;
}

static void add_line(struct arena *arena, struct modules *modules, char *line)
{
    struct modules_part part;
    uint64_t inode;
    int name;
    line[strcspn(line, "\n")] = 0;
    if (!parse_line(line, &part, &inode, &name))
        return;
    char *path = line + name;
    const size_t length = strlen(path);
    if (length > sizeof deleted - 1 && strcmp(path + length - (sizeof deleted - 1), deleted) == 0)
        path[length - (sizeof deleted - 1)] = 0;
    struct modules_entry *last =
        modules->list.count > 0 ? &modules->list.item[modules->list.count - 1] : NULL;
    // A file that begins anew is mapped a second time.
    if (!last || last->inode != inode || strcmp(last->path, path) != 0 || part.offset == 0) {
        last = LIST_ADD(arena, &modules->list);
        *last = (struct modules_entry){
            .start = part.start, .inode = inode, .path = arena_text(arena, path)};
    }
    last->end = part.end;
    *LIST_ADD(arena, &last->parts) = part;
}

// Takes the bias from the program headers in memory. false: it is no ELF file.
static bool find_bias(const struct target *target, struct modules_entry *module)
{
    Elf64_Ehdr header;
    Elf64_Phdr segments[HEADERS_MOST];
    if (module->parts.item[0].offset != 0 ||
        target_read(target, module->start, &header, sizeof header) != 0 ||
        memcmp(header.e_ident, ELFMAG, SELFMAG) != 0 || header.e_phentsize != sizeof segments[0] ||
        header.e_phnum > HEADERS_MOST ||
        target_read(target, module->start + header.e_phoff, segments,
                    header.e_phnum * sizeof segments[0]) != 0)
        return false;
    for (unsigned i = 0; i < header.e_phnum; i++) {
        if (segments[i].p_type != PT_LOAD)
            continue;
        module->bias = module->start - segments[i].p_vaddr / PAGE * PAGE;
        return true;
    }
    return false;
}

int modules_read(struct arena *arena, const struct target *target, struct modules *modules)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/maps", process_living_thread(target->pid));
    FILE *maps = fopen(path, "re");
    if (!maps)
        return -errno;
    char *line = NULL;
    size_t room = 0;
    while (getline(&line, &room, maps) > 0) {
        uint64_t end;
        if (sscanf(line, "%*x-%" SCNx64, &end) == 1) // NOLINT(cert-err34-c): the kernel's own
            *LIST_ADD(arena, &modules->ends) = end;
        add_line(arena, modules, line);
    }
    free(line);
    fclose(maps);
    size_t kept = 0;
    for (size_t i = 0; i < modules->list.count; i++)
        if (find_bias(target, &modules->list.item[i]))
            modules->list.item[kept++] = modules->list.item[i];
    modules->list.count = kept;
    return kept > 0 ? 0 : -ESRCH;
}

uint64_t modules_mapping_end(const struct modules *modules, uint64_t address)
{
    size_t low = 0;
    size_t high = modules->ends.count;
    while (low < high) {
        const size_t middle = low + (high - low) / 2;
        if (modules->ends.item[middle] > address)
            high = middle;
        else
            low = middle + 1;
    }
    return low < modules->ends.count ? modules->ends.item[low] : 0;
}

int modules_open(struct arena *arena, const struct target *target,
                 const struct modules_entry *module)
{
    const struct modules_part *first = &module->parts.item[0];
    const pid_t thread = process_living_thread(target->pid);
    const char *ways[] = {
        arena_format(arena, "/proc/%d/root%s", thread, module->path),
        module->path,
        arena_format(arena, "/proc/%d/map_files/%" PRIx64 "-%" PRIx64, thread, first->start,
                     first->end),
        arena_format(arena, "/proc/%d/exe", thread),
    };
    if (module->inode == 0)
        return -1;
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        struct stat status;
        const int file = open(ways[i], O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        if (file < 0)
            continue;
        // Not the device: some file systems (overlayfs, btrfs) show another one in maps.
        if (fstat(file, &status) == 0 && S_ISREG(status.st_mode) && status.st_ino == module->inode)
            return file;
        close(file);
    }
    return -1;
}

void *modules_image(struct arena *arena, const struct target *target,
                    const struct modules_entry *module, size_t *bytes)
{
    *bytes = 0;
    for (size_t i = 0; i < module->parts.count; i++) {
        const struct modules_part *part = &module->parts.item[i];
        if (part->offset + (part->end - part->start) > *bytes)
            *bytes = part->offset + (part->end - part->start);
    }
    if (*bytes < sizeof(Elf64_Ehdr) || *bytes > IMAGE_MOST)
        return NULL;
    char *image = arena_take(arena, *bytes);
    // Later mappings of the same part of the file hold its changed copy: the first one stays.
    for (size_t i = module->parts.count; i-- > 0;) {
        const struct modules_part *part = &module->parts.item[i];
        (void)target_read(target, part->start, image + part->offset, part->end - part->start);
    }
    Elf64_Ehdr *header = (Elf64_Ehdr *)image;
    if (memcmp(header->e_ident, ELFMAG, SELFMAG) != 0)
        return NULL;
    if (module->inode != 0) { // section headers are not mapped
        header->e_shoff = 0;
        header->e_shnum = header->e_shstrndx = 0;
    }
    return image;
}
