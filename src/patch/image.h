// An ELF file of this machine's class, mapped: what is at which virtual address.
//
// Every offset in the file is checked. Knows nothing of symbols and patches.
#ifndef UNCLOSED_PATCH_IMAGE_H
#define UNCLOSED_PATCH_IMAGE_H

#include <elf.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct image {
    const uint8_t *data;
    size_t bytes;
    const Elf64_Ehdr *header;
    const Elf64_Phdr *segments;
    unsigned segment_count;
};

// Opens the 64-bit little-endian ELF executable or library at `path`. Result: 0, -ENOEXEC if it is
// something else, or -errno.
int image_open(struct image *image, const char *path);
void image_close(struct image *image);

// The `bytes` bytes that the file has for `address`; NULL if it has not all of them.
const uint8_t *image_at(const struct image *image, uint64_t address, size_t bytes);

// The bytes of a segment; NULL if they are not all there.
const uint8_t *image_segment(const struct image *image, const Elf64_Phdr *segment);

// The bytes of the section of this name; NULL: none. An empty file section is none.
const uint8_t *image_section(const struct image *image, const char *name, size_t *bytes);

// The segment that will be executable and has `address`; NULL: none.
const Elf64_Phdr *image_text(const struct image *image, uint64_t address);

// What tells this file from others when it is mapped, see recorder/patch_plan.h: the build-id, or
// if it has none, a checksum of its first executable segment. Result: length, 0 if there is
// nothing.
enum { IMAGE_ID_BYTES = 80 };
size_t image_id(const struct image *image, char id[IMAGE_ID_BYTES]);

#endif
