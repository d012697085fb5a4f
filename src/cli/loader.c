// See loader.h.
#include "cli/loader.h"

#include <stdint.h>
#include <unistd.h>

int loader_of(int fd, const Elf64_Ehdr *header, char *loader, size_t bytes)
{
    for (int i = 0; i < header->e_phnum; i++) {
        Elf64_Phdr segment;
        off_t offset = (off_t)(header->e_phoff + (uint64_t)i * sizeof segment);
        if (pread(fd, &segment, sizeof segment, offset) != sizeof segment)
            return -1;
        if (segment.p_type != PT_INTERP)
            continue;
        size_t length = segment.p_filesz < bytes ? segment.p_filesz : bytes - 1;
        if (pread(fd, loader, length, (off_t)segment.p_offset) != (ssize_t)length)
            return -1;
        loader[length] = '\0';
        return 1;
    }
    return 0;
}
