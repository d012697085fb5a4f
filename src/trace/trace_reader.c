// Copying the records out of a trace file: see trace_reader.h.
//
// Reads with pread and never maps the file, so that a file cut short while it is read is an error
// here and not a SIGBUS. Only the used part of each chunk is read.
#include "trace/trace_reader.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "trace/trace_reader_private.h"
#include "trace/trace_units.h"

enum {
    PROBLEMS_KEPT = 64,
    SLOT_TRIES = 64, // until a session slot that is being reused all the time is given up
};

// A space comes before those that its records refer to. A record is published after what it refers
// to, so reading in this order finds everything that was referred to.
static const uint8_t reading_order[] = {
    TRACE_SESSIONS,  TRACE_EXHAUSTIONS, TRACE_MISUSES,   TRACE_HISTORIES,
    TRACE_SITES,     TRACE_POOLS,       TRACE_FUNCTIONS, TRACE_STACKS,
    TRACE_LOCATIONS, TRACE_MODULES,     TRACE_STRINGS,
};

void reader_complain(struct trace_reader *reader, const char *format, ...)
{
    if (reader->problem_count >= PROBLEMS_KEPT)
        return;
    char **grown = realloc(reader->problems, (reader->problem_count + 1) * sizeof *grown);
    if (!grown)
        return;
    reader->problems = grown;
    char *text = NULL;
    va_list arguments;
    va_start(arguments, format);
    int length = vasprintf(&text, format, arguments);
    va_end(arguments);
    if (length >= 0)
        reader->problems[reader->problem_count++] = text;
}

size_t reader_read_at(int fd, uint64_t offset, void *data, size_t bytes)
{
    size_t done = 0;
    while (done < bytes) {
        ssize_t got = pread(fd, (char *)data + done, bytes - done, (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        done += (size_t)got;
    }
    return done;
}

uint64_t reader_data_bytes(int fd)
{
    struct stat status;
    uint64_t sum = 0;
    off_t end = 0;
    if (fstat(fd, &status) < 0)
        return 0;
    for (off_t at = 0; at < status.st_size; at = end) {
        at = lseek(fd, at, SEEK_DATA);
        if (at < 0)
            return errno == ENXIO ? sum : (uint64_t)status.st_size; // not known here: all of it
        end = lseek(fd, at, SEEK_HOLE);
        if (end <= at)
            end = status.st_size;
        sum += (uint64_t)(end - at);
    }
    return sum;
}

static bool is_chunk(const struct trace_chunk *chunk)
{
    return chunk->magic == TRACE_CHUNK_MAGIC && chunk->bytes >= TRACE_CHUNK_ALIGN &&
           chunk->bytes % TRACE_CHUNK_ALIGN == 0;
}

// What is wrong with a chunk of a known type, or NULL.
static const char *chunk_fault(const struct reader_space *space, const struct trace_chunk *chunk)
{
    if (chunk->record_bytes != trace_unit_bytes[chunk->type])
        return "records of an unexpected size";
    if (chunk->capacity > (chunk->bytes - sizeof *chunk) / chunk->record_bytes)
        return "more records than it has room for";
    if (chunk->first == 0 || (uint64_t)chunk->first + chunk->capacity > UINT32_MAX)
        return "references out of range";
    if (space->count > 0) {
        const struct reader_chunk *last = &space->chunks[space->count - 1];
        if (chunk->first < last->first + last->capacity)
            return "references that another chunk has already";
    }
    return NULL;
}

static void add_chunk(struct trace_reader *reader, uint64_t offset, const struct trace_chunk *chunk)
{
    if (chunk->type == 0 || chunk->type >= TRACE_CHUNK_TYPES)
        return; // of a later version of the recorder; readers skip what they do not know
    struct reader_space *space = &reader->space[chunk->type];
    const char *fault = chunk_fault(space, chunk);
    if (fault) {
        reader_complain(reader,
                        "%s: the chunk at offset %llu has %s; its records are left out of the "
                        "report (the file is damaged: trace the program again)",
                        reader->path, (unsigned long long)offset, fault);
        return;
    }
    struct reader_chunk *grown = realloc(space->chunks, (space->count + 1) * sizeof *grown);
    if (!grown)
        return;
    space->chunks = grown;
    grown[space->count++] = (struct reader_chunk){
        .offset = offset,
        .bytes = chunk->bytes,
        .first = chunk->first,
        .capacity = chunk->capacity,
        .record_bytes = chunk->record_bytes,
    };
}

// The next offset at or after `offset` where a chunk begins, or `end`.
static uint64_t find_chunk(const struct trace_reader *reader, uint64_t offset, uint64_t end)
{
    for (; offset + TRACE_CHUNK_ALIGN <= end; offset += TRACE_CHUNK_ALIGN) {
        struct trace_chunk chunk;
        // What a hole holds is no chunk, and a hole may be larger than a life is long.
        off_t data = lseek(reader->fd, (off_t)offset, SEEK_DATA);
        if (data < 0 && errno == ENXIO)
            return end;
        if (data >= 0 && (uint64_t)data >= offset + TRACE_CHUNK_ALIGN)
            offset = (uint64_t)data - (uint64_t)data % TRACE_CHUNK_ALIGN;
        if (reader_read_at(reader->fd, offset, &chunk, sizeof chunk) == sizeof chunk &&
            is_chunk(&chunk))
            return offset;
    }
    return end;
}

// Makes the chunks known that lie between `walked` and `end`.
static void walk_chunks(struct trace_reader *reader, uint64_t end)
{
    while (reader->walked + sizeof(struct trace_chunk) <= end) {
        uint64_t offset = reader->walked;
        struct trace_chunk chunk;
        if (reader_read_at(reader->fd, offset, &chunk, sizeof chunk) < sizeof chunk)
            return;
        if (!is_chunk(&chunk)) {
            reader->walked = find_chunk(reader, offset + TRACE_CHUNK_ALIGN, end);
            reader_complain(reader,
                            "%s: no chunk begins at offset %llu, where one should; %llu bytes are "
                            "left out of the report (the file is damaged: trace the program again)",
                            reader->path, (unsigned long long)offset,
                            (unsigned long long)(reader->walked - offset));
            continue;
        }
        add_chunk(reader, offset, &chunk);
        reader->walked = offset + chunk.bytes < offset ? end : offset + chunk.bytes;
    }
}

static void note_cut(struct trace_reader *reader, uint64_t wanted)
{
    if (reader->complained)
        return;
    reader->complained = true;
    reader_complain(reader,
                    "%s: the file ends at %llu bytes, it was %llu bytes long; records beyond are "
                    "missing from the report (it was cut in copying: copy it again)",
                    reader->path, (unsigned long long)reader->file_bytes,
                    (unsigned long long)wanted);
}

// Looks for chunks that were added since the last look: a live process adds them at any time.
static void refresh_directory(struct trace_reader *reader)
{
    struct trace_header header;
    struct stat status;
    if (reader_read_at(reader->fd, 0, &header, sizeof header) < sizeof header ||
        fstat(reader->fd, &status) < 0 || status.st_size < 0)
        return;
    reader->file_bytes = (uint64_t)status.st_size;
    reader->data_bytes = reader_data_bytes(reader->fd);
    uint64_t end = header.file_bytes;
    if (end > reader->file_bytes) {
        end = reader->file_bytes;
        note_cut(reader, header.file_bytes);
    }
    if (end < TRACE_HEADER_BYTES) // killed while the file was made, or damaged: take what is there
        end = reader->file_bytes;
    walk_chunks(reader, end);
}

// How much more may be read. Used records are written, except for pages of zeros within: what
// claims much more than the file has is no trace, but a hole.
static uint64_t reader_room(const struct trace_reader *reader)
{
    uint64_t most = 2 * reader->data_bytes + READER_SPARE_BYTES;
    return most > reader->loaded_bytes ? most - reader->loaded_bytes : 0;
}

static void note_holes(struct trace_reader *reader)
{
    if (reader->complained)
        return;
    reader->complained = true;
    reader_complain(reader,
                    "%s: the file claims more records than the %llu bytes that are in it can hold; "
                    "the rest is left out of the report (it was never written: trace the program "
                    "again)",
                    reader->path, (unsigned long long)reader->data_bytes);
}

// Reads the used part of a chunk. The count is read first: what lies below it is complete.
static bool load_chunk(struct trace_reader *reader, struct reader_chunk *chunk)
{
    struct trace_chunk now;
    uint32_t count = 0;
    if (reader_read_at(reader->fd, chunk->offset, &now, sizeof now) == sizeof now)
        count = now.count;
    if (count > chunk->capacity) {
        reader_complain(reader,
                        "%s: the chunk at offset %llu claims %u records in room for %u; all of "
                        "them are read (the file is damaged: trace the program again)",
                        reader->path, (unsigned long long)chunk->offset, count, chunk->capacity);
        count = chunk->capacity;
    }
    uint64_t start = chunk->offset + sizeof now;
    uint64_t there = reader->file_bytes > start ? reader->file_bytes - start : 0;
    if ((uint64_t)count * chunk->record_bytes > there) {
        count = (uint32_t)(there / chunk->record_bytes);
        note_cut(reader, chunk->offset + chunk->bytes);
    }
    if ((uint64_t)count * chunk->record_bytes > reader_room(reader)) {
        count = (uint32_t)(reader_room(reader) / chunk->record_bytes);
        note_holes(reader);
    }
    size_t bytes = (size_t)count * chunk->record_bytes;
    reader->loaded_bytes += bytes;
    chunk->data = malloc(bytes ? bytes : 1);
    if (!chunk->data)
        return false;
    chunk->count =
        (uint32_t)(reader_read_at(reader->fd, start, chunk->data, bytes) / chunk->record_bytes);
    return true;
}

// Copies a slot until two copies agree.
static void settle_slot(const struct trace_reader *reader, uint64_t offset,
                        struct trace_session *slot)
{
    struct trace_session again;
    int tries = 0;
    while (reader_read_at(reader->fd, offset, &again, sizeof again) == sizeof again &&
           memcmp(&again, slot, sizeof again) != 0 && ++tries < SLOT_TRIES)
        *slot = again;
    if (tries == SLOT_TRIES)
        slot->state = TRACE_SLOT_FREE;
}

// A slot may be ended and used again while it is copied. Two equal copies are not torn. All are
// copied again at once, for few will differ.
static bool settle_slots(const struct trace_reader *reader, struct reader_chunk *chunk)
{
    struct trace_session *slots = (struct trace_session *)chunk->data;
    uint64_t start = chunk->offset + sizeof(struct trace_chunk);
    struct trace_session *again = malloc(chunk->count ? chunk->count * sizeof *again : 1);
    if (!again)
        return false;
    size_t copied =
        reader_read_at(reader->fd, start, again, chunk->count * sizeof *again) / sizeof *again;
    for (size_t i = 0; i < chunk->count; i++)
        if (i >= copied || memcmp(&again[i], &slots[i], sizeof *slots) != 0)
            settle_slot(reader, start + i * sizeof *slots, &slots[i]);
    free(again);
    return true;
}

static int load_spaces(struct trace_reader *reader)
{
    for (size_t i = 0; i < sizeof reading_order; i++) {
        refresh_directory(reader);
        struct reader_space *space = &reader->space[reading_order[i]];
        for (size_t c = 0; c < space->count; c++) {
            bool settle = reading_order[i] == TRACE_SESSIONS && reader->state == READER_RUNNING;
            bool loaded = load_chunk(reader, &space->chunks[c]);
            if (!loaded || (settle && !settle_slots(reader, &space->chunks[c]))) {
                space->count = loaded ? c + 1 : c;
                return -ENOMEM;
            }
        }
    }
    // Chunks that a live process added to a type after that type was read.
    for (int type = 1; type < TRACE_CHUNK_TYPES; type++) {
        struct reader_space *space = &reader->space[type];
        while (space->count > 0 && !space->chunks[space->count - 1].data)
            space->count--;
    }
    return 0;
}

static int check_header(struct trace_reader *reader)
{
    struct trace_header *header = &reader->header;
    size_t got = reader_read_at(reader->fd, 0, header, sizeof *header);
    if (got < sizeof header->magic || memcmp(header->magic, TRACE_MAGIC, 8) != 0) {
        reader_complain(reader,
                        "%s: not a trace (it does not begin with \"%s\"); give a file written by "
                        "`unclosed run` or the recorder",
                        reader->path, TRACE_MAGIC);
        return -EBADMSG;
    }
    if (got < sizeof *header) {
        reader_complain(reader,
                        "%s: the trace is cut off within its header, after %zu bytes; "
                        "nothing can be read from it (copy it again)",
                        reader->path, got);
        return -EBADMSG;
    }
    if (header->byte_order != TRACE_BYTE_ORDER) {
        reader_complain(reader,
                        "%s: the trace was written on a machine of another byte order; "
                        "read it on such a machine",
                        reader->path);
        return -EPROTO;
    }
    if (header->version != TRACE_VERSION) {
        reader_complain(reader,
                        "%s: the trace has format version %u and this tool reads version "
                        "%d; use the `unclosed` that belongs to the recorder",
                        reader->path, header->version, TRACE_VERSION);
        return -EPROTO;
    }
    header->exe[sizeof header->exe - 1] = 0;
    header->command[sizeof header->command - 1] = 0;
    header->directory[sizeof header->directory - 1] = 0;
    return 0;
}

static int open_trace(struct trace_reader *reader, pid_t pid)
{
    struct stat status;
    if (fstat(reader->fd, &status) < 0)
        return -errno;
    if (!S_ISREG(status.st_mode)) {
        reader_complain(reader, "%s: not a regular file; give a trace file", reader->path);
        return S_ISDIR(status.st_mode) ? -EISDIR : -EBADMSG;
    }
    int error = check_header(reader);
    if (error < 0)
        return error;
    reader->owner = status.st_uid == 0 && geteuid() == 0 ? reader->header.uid : status.st_uid;
    reader_find_process(reader, pid);
    reader->walked = TRACE_HEADER_BYTES;
    error = load_spaces(reader);
    if (error < 0) {
        reader_complain(reader, "%s: not enough memory to read the trace", reader->path);
        return error;
    }
    reader_check(reader);
    return 0;
}

int reader_open_fd(int fd, const char *path, pid_t pid, struct trace_reader **reader)
{
    *reader = calloc(1, sizeof **reader);
    char *name = strdup(path);
    if (!*reader || !name) {
        free(*reader);
        free(name);
        *reader = NULL;
        close(fd);
        return -ENOMEM;
    }
    (*reader)->path = name;
    (*reader)->fd = fd;
    int error = open_trace(*reader, pid);
    close(fd);
    (*reader)->fd = -1;
    return error;
}

int reader_open(const char *path, pid_t pid, struct trace_reader **reader)
{
    // O_NONBLOCK: a FIFO of that name must not hold us up.
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd >= 0)
        return reader_open_fd(fd, path, pid, reader);
    int error = -errno;
    *reader = calloc(1, sizeof **reader);
    if (!*reader)
        return -ENOMEM;
    (*reader)->fd = -1;
    (*reader)->path = strdup(path);
    reader_complain(*reader, "%s: cannot be opened: %s%s", path, strerror(-error),
                    error == -EACCES ? " (run this as the user who owns it)" : "");
    return error;
}

void reader_close(struct trace_reader *reader)
{
    if (!reader)
        return;
    for (int type = 1; type < TRACE_CHUNK_TYPES; type++) {
        for (size_t i = 0; i < reader->space[type].count; i++)
            free(reader->space[type].chunks[i].data);
        free(reader->space[type].chunks);
    }
    for (size_t i = 0; i < reader->problem_count; i++)
        free(reader->problems[i]);
    free(reader->problems);
    free(reader->path);
    free(reader);
}
