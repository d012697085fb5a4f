// See image.h.
#include "patch/image.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/patch_plan.h"

static int map_file(struct image *image, int fd)
{
    struct stat status;
    if (fstat(fd, &status) != 0)
        return -errno;
    if (!S_ISREG(status.st_mode) || (size_t)status.st_size < sizeof(Elf64_Ehdr))
        return -ENOEXEC;
    void *data = mmap(NULL, (size_t)status.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (data == MAP_FAILED)
        return -errno;
    image->data = data;
    image->bytes = (size_t)status.st_size;
    image->header = data;
    const Elf64_Ehdr *header = image->header;
    if (memcmp(header->e_ident, ELFMAG, SELFMAG) != 0 || header->e_ident[EI_CLASS] != ELFCLASS64 ||
        header->e_ident[EI_DATA] != ELFDATA2LSB ||
        (header->e_type != ET_EXEC && header->e_type != ET_DYN) ||
        header->e_phentsize != sizeof(Elf64_Phdr) || header->e_phoff > image->bytes ||
        header->e_phnum > (image->bytes - header->e_phoff) / sizeof(Elf64_Phdr)) {
        image_close(image);
        return -ENOEXEC;
    }
    image->segments = (const void *)(image->data + header->e_phoff);
    image->segment_count = header->e_phnum;
    return 0;
}

int image_open(struct image *image, const char *path)
{
    *image = (struct image){0};
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return -errno;
    const int error = map_file(image, fd);
    (void)close(fd);
    return error;
}

void image_close(struct image *image)
{
    if (image->data)
        (void)munmap((void *)(uintptr_t)image->data, image->bytes);
    *image = (struct image){0};
}

const uint8_t *image_segment(const struct image *image, const Elf64_Phdr *segment)
{
    if (segment->p_offset > image->bytes || segment->p_filesz > image->bytes - segment->p_offset)
        return NULL;
    return image->data + segment->p_offset;
}

const uint8_t *image_at(const struct image *image, uint64_t address, size_t bytes)
{
    for (unsigned i = 0; i < image->segment_count; i++) {
        const Elf64_Phdr *segment = &image->segments[i];
        const uint8_t *data = image_segment(image, segment);
        if (segment->p_type == PT_LOAD && data && address >= segment->p_vaddr &&
            address - segment->p_vaddr < segment->p_filesz &&
            bytes <= segment->p_filesz - (address - segment->p_vaddr))
            return data + (address - segment->p_vaddr);
    }
    return NULL;
}

const uint8_t *image_section(const struct image *image, const char *name, size_t *bytes)
{
    const Elf64_Ehdr *header = image->header;
    if (header->e_shentsize != sizeof(Elf64_Shdr) || header->e_shoff > image->bytes ||
        header->e_shnum > (image->bytes - header->e_shoff) / sizeof(Elf64_Shdr) ||
        header->e_shstrndx >= header->e_shnum)
        return NULL;
    const Elf64_Shdr *sections = (const void *)(image->data + header->e_shoff);
    const uint64_t names = sections[header->e_shstrndx].sh_offset;
    const size_t length = strlen(name) + 1;
    for (unsigned i = 0; i < header->e_shnum; i++) {
        const Elf64_Shdr *section = &sections[i];
        if (names > image->bytes || section->sh_name > image->bytes - names ||
            image->bytes - names - section->sh_name < length ||
            memcmp(image->data + names + section->sh_name, name, length) != 0)
            continue;
        if (section->sh_type == SHT_NOBITS || section->sh_size == 0 ||
            section->sh_offset > image->bytes ||
            section->sh_size > image->bytes - section->sh_offset)
            return NULL;
        *bytes = section->sh_size;
        return image->data + section->sh_offset;
    }
    return NULL;
}

const Elf64_Phdr *image_text(const struct image *image, uint64_t address)
{
    for (unsigned i = 0; i < image->segment_count; i++) {
        const Elf64_Phdr *segment = &image->segments[i];
        if (segment->p_type == PT_LOAD && (segment->p_flags & PF_X) &&
            address >= segment->p_vaddr && address - segment->p_vaddr < segment->p_filesz)
            return segment;
    }
    return NULL;
}

static const uint8_t *find_build_id(const struct image *image, size_t *bytes)
{
    for (unsigned i = 0; i < image->segment_count; i++) {
        const Elf64_Phdr *segment = &image->segments[i];
        const uint8_t *at = segment->p_type == PT_NOTE ? image_segment(image, segment) : NULL;
        size_t left = at ? segment->p_filesz : 0;
        while (left >= sizeof(Elf64_Nhdr)) {
            Elf64_Nhdr note;
            memcpy(&note, at, sizeof note);
            const size_t name = (note.n_namesz + (size_t)3) & ~(size_t)3;
            const size_t text = (note.n_descsz + (size_t)3) & ~(size_t)3;
            if (name + text > left - sizeof note)
                break;
            if (note.n_type == NT_GNU_BUILD_ID && note.n_namesz == 4 &&
                memcmp(at + sizeof note, "GNU", 4) == 0) {
                *bytes = note.n_descsz;
                return at + sizeof note + name;
            }
            at += sizeof note + name + text;
            left -= sizeof note + name + text;
        }
    }
    return NULL;
}

static const Elf64_Phdr *first_text(const struct image *image)
{
    for (unsigned i = 0; i < image->segment_count; i++)
        if (image->segments[i].p_type == PT_LOAD && (image->segments[i].p_flags & PF_X))
            return &image->segments[i];
    return NULL;
}

size_t image_id(const struct image *image, char id[IMAGE_ID_BYTES])
{
    size_t bytes = 0;
    const uint8_t *build_id = find_build_id(image, &bytes);
    if (build_id && bytes > 0 && bytes <= PATCH_PLAN_BUILD_ID_BYTES) {
        id[0] = 'b';
        for (size_t i = 0; i < bytes; i++)
            (void)snprintf(id + 1 + 2 * i, 3, "%02x", build_id[i]);
        return 1 + 2 * bytes;
    }
    const Elf64_Phdr *segment = first_text(image);
    const uint8_t *text = segment ? image_segment(image, segment) : NULL;
    if (!text)
        return 0;
    return (size_t)snprintf(id, IMAGE_ID_BYTES, "t%" PRIx64 ".%016" PRIx64, segment->p_filesz,
                            patch_plan_checksum(text, segment->p_filesz));
}
