// A light look at a trace: see trace_glance.h.
#include "trace/trace_glance.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "trace/trace_reader_private.h"
#include "trace/trace_units.h"

static int read_header(struct trace_glance *glance)
{
    struct trace_header *header = &glance->header;
    if (reader_read_at(glance->fd, 0, header, sizeof *header) != sizeof *header ||
        memcmp(header->magic, TRACE_MAGIC, sizeof header->magic) != 0 ||
        header->version != TRACE_VERSION || header->byte_order != TRACE_BYTE_ORDER)
        return -EBADMSG;
    header->exe[sizeof header->exe - 1] = 0;
    return 0;
}

int glance_open(struct trace_glance *glance, const char *path)
{
    struct stat status;
    *glance = (struct trace_glance){.walked = TRACE_HEADER_BYTES};
    glance->fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (glance->fd < 0)
        return -errno;
    int error = fstat(glance->fd, &status) == 0 && S_ISREG(status.st_mode) ? 0 : -EBADMSG;
    if (error == 0)
        error = read_header(glance);
    if (error < 0)
        glance_close(glance);
    return error;
}

void glance_close(struct trace_glance *glance)
{
    close(glance->fd);
    glance->fd = -1;
    free(glance->sessions);
    free(glance->sites);
    free(glance->session_chunks.chunks);
    free(glance->site_chunks.chunks);
    glance->sessions = NULL;
    glance->sites = NULL;
    glance->session_chunks = glance->site_chunks = (struct glance_space){0};
    glance->session_count = glance->site_count = 0;
}

// Records of one type have references without gaps, and only the last chunk has room.
static int add_chunk(struct glance_space *space, const struct trace_chunk *chunk, uint64_t offset)
{
    const size_t record_bytes = trace_unit_bytes[chunk->type];
    const struct glance_chunk *last = space->count ? &space->chunks[space->count - 1] : NULL;
    uint32_t expected = last ? last->first + last->capacity : 1;
    if (chunk->record_bytes != record_bytes || chunk->first != expected ||
        chunk->capacity > (chunk->bytes - sizeof *chunk) / record_bytes ||
        (uint64_t)chunk->first + chunk->capacity > UINT32_MAX)
        return -EBADMSG;
    struct glance_chunk *grown =
        reallocarray(space->chunks, space->count + 1, sizeof *space->chunks);
    if (!grown)
        return -ENOMEM;
    space->chunks = grown;
    grown[space->count++] = (struct glance_chunk){
        .offset = offset + sizeof *chunk, .first = chunk->first, .capacity = chunk->capacity};
    return 0;
}

static int walk(struct trace_glance *glance)
{
    struct stat status;
    if (fstat(glance->fd, &status) < 0)
        return -errno;
    uint64_t end = glance->header.file_bytes;
    if (end > (uint64_t)status.st_size)
        end = (uint64_t)status.st_size;
    while (glance->walked + sizeof(struct trace_chunk) <= end) {
        struct trace_chunk chunk;
        int error = 0;
        if (reader_read_at(glance->fd, glance->walked, &chunk, sizeof chunk) != sizeof chunk ||
            chunk.magic != TRACE_CHUNK_MAGIC || chunk.bytes < TRACE_CHUNK_ALIGN ||
            chunk.bytes > end - glance->walked)
            return -EBADMSG;
        if (chunk.type == TRACE_SESSIONS)
            error = add_chunk(&glance->session_chunks, &chunk, glance->walked);
        else if (chunk.type == TRACE_SITES)
            error = add_chunk(&glance->site_chunks, &chunk, glance->walked);
        if (error < 0)
            return error;
        glance->walked += chunk.bytes;
    }
    return 0;
}

// The number of records in use in a chunk.
static uint32_t count_of(const struct trace_glance *glance, const struct glance_chunk *chunk)
{
    struct trace_chunk now;
    if (reader_read_at(glance->fd, chunk->offset - sizeof now, &now, sizeof now) != sizeof now)
        return 0;
    return now.count < chunk->capacity ? now.count : chunk->capacity;
}

// Whether the records that the chunks claim can be in the file: it may be one of holes.
static bool is_plausible(const struct trace_glance *glance)
{
    uint64_t claimed = 0;
    for (size_t i = 0; i < glance->session_chunks.count; i++)
        claimed += (uint64_t)count_of(glance, &glance->session_chunks.chunks[i]) *
                   sizeof(struct trace_session);
    for (size_t i = 0; i < glance->site_chunks.count; i++)
        claimed +=
            (uint64_t)count_of(glance, &glance->site_chunks.chunks[i]) * sizeof(struct trace_site);
    return claimed <= READER_SPARE_BYTES ||
           claimed <= 2 * reader_data_bytes(glance->fd) + READER_SPARE_BYTES;
}

static int take_sessions(struct trace_glance *glance)
{
    for (size_t i = 0; i < glance->session_chunks.count; i++) {
        const struct glance_chunk *chunk = &glance->session_chunks.chunks[i];
        uint32_t count = count_of(glance, chunk);
        uint32_t total = chunk->first - 1 + count;
        if (total > glance->session_count) {
            struct trace_session *grown =
                reallocarray(glance->sessions, total, sizeof *glance->sessions);
            if (!grown)
                return -ENOMEM;
            memset(grown + glance->session_count, 0,
                   (total - glance->session_count) * sizeof *grown);
            glance->sessions = grown;
            glance->session_count = total;
        }
        size_t bytes = count * sizeof *glance->sessions;
        if (count > 0 && reader_read_at(glance->fd, chunk->offset,
                                        glance->sessions + chunk->first - 1, bytes) != bytes)
            return -EIO;
    }
    return 0;
}

static int take_site_chunk(struct trace_glance *glance, const struct glance_chunk *chunk)
{
    enum { AT_ONCE = 64 };
    struct trace_site some[AT_ONCE];
    uint32_t count = count_of(glance, chunk);
    uint32_t total = chunk->first - 1 + count;
    if (total > glance->site_count) {
        struct glance_site *grown = reallocarray(glance->sites, total, sizeof *glance->sites);
        if (!grown)
            return -ENOMEM;
        memset(grown + glance->site_count, 0, (total - glance->site_count) * sizeof *grown);
        glance->sites = grown;
        glance->site_count = total;
    }
    for (uint32_t at = 0; at < count; at += AT_ONCE) {
        uint32_t part = count - at < AT_ONCE ? count - at : AT_ONCE;
        if (reader_read_at(glance->fd, chunk->offset + at * sizeof *some, some,
                           part * sizeof *some) != part * sizeof *some)
            return -EIO;
        for (uint32_t i = 0; i < part; i++) {
            bool hidden = some[i].kind == 0 || some[i].flags & TRACE_SITE_WRAPPER;
            glance->sites[chunk->first - 1 + at + i] = (struct glance_site){
                .late = hidden ? 0 : some[i].late,
                .reclaimed =
                    hidden ? 0 : some[i].ended[TRACE_RECLAIMED] + some[i].ended[TRACE_COLLECTED]};
        }
    }
    return 0;
}

int glance_take(struct trace_glance *glance)
{
    int error = read_header(glance);
    if (error == 0)
        error = walk(glance);
    if (error == 0 && !is_plausible(glance))
        error = -EFBIG;
    if (error == 0)
        error = take_sessions(glance);
    for (size_t i = 0; error == 0 && i < glance->site_chunks.count; i++)
        error = take_site_chunk(glance, &glance->site_chunks.chunks[i]);
    return error;
}

bool glance_is_still(const struct trace_glance *glance, uint32_t ref)
{
    for (size_t i = glance->session_chunks.count; i-- > 0;) {
        const struct glance_chunk *chunk = &glance->session_chunks.chunks[i];
        struct trace_session now;
        if (ref < chunk->first)
            continue;
        uint64_t offset = chunk->offset + (uint64_t)(ref - chunk->first) * sizeof now;
        const struct trace_session *seen = &glance->sessions[ref - 1];
        return reader_read_at(glance->fd, offset, &now, sizeof now) == sizeof now &&
               now.state == seen->state && now.generation == seen->generation &&
               now.acquired_ns == seen->acquired_ns && now.site == seen->site;
    }
    return false;
}

void glance_tell(const struct trace_glance *glance, uint64_t now_ns)
{
    (void)!pwrite(glance->fd, &now_ns, sizeof now_ns, offsetof(struct trace_header, watched_ns));
}
