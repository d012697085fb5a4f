// Traces out of random bytes: see trace_image.h.
#include "trace_image.h"

#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "trace/trace_format.h"
#include "trace/trace_units.h"

enum { PIECE_BYTES = 512, PIECES_MOST = 24, LARGEST_CHUNK = 3 * TRACE_CHUNK_ALIGN };

static uint32_t next_first[TRACE_CHUNK_TYPES];

// Fills in one chunk of the smallest size, and returns that. Sites and pools are larger than a
// piece: the piece is repeated.
static size_t make_chunk(unsigned char *page, const uint8_t *piece, size_t bytes)
{
    unsigned type = piece[0] % TRACE_CHUNK_TYPES;
    uint16_t unit = trace_unit_bytes[type] ? trace_unit_bytes[type] : 1;
    const size_t room = unit < TRACE_CHUNK_ALIGN / 2 ? TRACE_CHUNK_ALIGN : LARGEST_CHUNK;
    struct trace_chunk chunk = {
        .magic = TRACE_CHUNK_MAGIC,
        .type = (uint16_t)type,
        .record_bytes = unit,
        .bytes = room,
        .first = next_first[type],
        .capacity = (uint32_t)((room - sizeof chunk) / unit),
    };
    chunk.count = chunk.capacity - piece[1] % chunk.capacity;
    next_first[type] += chunk.capacity;
    size_t fields = sizeof chunk - sizeof chunk.reserved;
    if (piece[1] % 16 == 1)
        memcpy((char *)&chunk + piece[2] % (fields - 4), piece + 3, 4);
    memcpy(page, &chunk, sizeof chunk);
    for (size_t at = sizeof chunk; at < room; at++)
        page[at] = piece[4 + (at - sizeof chunk) % (bytes - 4)];
    return room;
}

static size_t make_file(unsigned char *file, const uint8_t *data, size_t size, unsigned skip)
{
    struct trace_header header = {
        .magic = TRACE_MAGIC,
        .version = TRACE_VERSION,
        .byte_order = TRACE_BYTE_ORDER,
        .header_bytes = TRACE_HEADER_BYTES,
        .start_ns = 1000,
        .end_ns = 2000,
        .exe = "/bin/program",
        .directory = "/srv",
    };
    size_t at = TRACE_HEADER_BYTES;
    for (unsigned type = 0; type < TRACE_CHUNK_TYPES; type++)
        next_first[type] = type == TRACE_STRINGS ? 4 : 1;
    for (int i = 0; i < PIECES_MOST && size >= 8; i++) {
        size_t bytes = size < PIECE_BYTES ? size : PIECE_BYTES;
        if (data[0] % TRACE_CHUNK_TYPES != skip || skip == 0) {
            at += make_chunk(file + at, data, bytes);
        }
        data += bytes;
        size -= bytes;
    }
    header.file_bytes = at;
    memcpy(file, &header, sizeof header);
    return at;
}

int trace_image(const uint8_t *data, size_t size, unsigned skip)
{
    static unsigned char file[TRACE_HEADER_BYTES + PIECES_MOST * LARGEST_CHUNK];
    if (size < 1)
        return -1;
    int fd = memfd_create("image", MFD_CLOEXEC);
    const void *bytes = data + 1;
    size_t length = size - 1;
    if (data[0] & 1) {
        length = make_file(file, data + 1, size - 1, skip);
        bytes = file;
    } else if (skip) { // in a file as it is nothing can be left out
        length = 0;
    }
    if (fd >= 0 && write(fd, bytes, length) != (ssize_t)length) {
        close(fd);
        return -1;
    }
    return fd;
}
