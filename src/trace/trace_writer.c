// Appending to a trace file from inside the traced process: see trace_writer.h.
//
// System calls are made with syscall(): the libc functions are cancellation points, and a program
// may have put its own in front of them.
#include "trace/trace_writer.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

static const struct space_layout {
    uint16_t unit;        // bytes of a record or unit
    uint32_t first_bytes; // size of the first chunk; each further one is twice as large
} layout[TRACE_CHUNK_TYPES] = {
    [TRACE_STRINGS] = {1, 16384},
    [TRACE_STACKS] = {8, 32768},
    [TRACE_MODULES] = {sizeof(struct trace_module), 16384},
    [TRACE_LOCATIONS] = {sizeof(struct trace_location), 8192},
    [TRACE_FUNCTIONS] = {sizeof(struct trace_function), 8192},
    [TRACE_POOLS] = {sizeof(struct trace_pool), 8192},
    [TRACE_SITES] = {sizeof(struct trace_site), 32768},
    [TRACE_SESSIONS] = {sizeof(struct trace_session), 32768},
    [TRACE_MISUSES] = {sizeof(struct trace_misuse), 4096},
    [TRACE_EXHAUSTIONS] = {8, 16384},
};

enum {
    LARGEST_CHUNK = 16 << 20,
    // A process that may drop its privileges cannot open the file again later: it gets more at
    // once.
    PRIVILEGED_SCALE = 8,
};

// Chunks that every trace needs, made together with the file in one piece.
static const uint8_t initial_types[] = {TRACE_STRINGS, TRACE_STACKS, TRACE_MODULES, TRACE_FUNCTIONS,
                                        TRACE_POOLS,   TRACE_SITES,  TRACE_SESSIONS};

static int open_file(const char *path, int flags)
{
    long fd = syscall(SYS_openat, AT_FDCWD, path,
                      flags | O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0600);
    return fd < 0 ? -errno : (int)fd;
}

static void close_file(const int *fd)
{
    if (*fd >= 0)
        (void)syscall(SYS_close, *fd);
}

static int write_zeros(int fd, uint64_t from, uint64_t bytes)
{
    static const char zeros[4096];
    for (uint64_t done = 0; done < bytes;) {
        size_t part = bytes - done < sizeof zeros ? (size_t)(bytes - done) : sizeof zeros;
        long written = syscall(SYS_pwrite64, fd, zeros, part, (off_t)(from + done));
        if (written < 0 && errno == EINTR)
            continue;
        if (written <= 0)
            return written < 0 ? -errno : -ENOSPC;
        done += (uint64_t)written;
    }
    return 0;
}

// Makes the file `bytes` longer with blocks that are really there: storing into a hole of a file on
// a full disk would be a SIGBUS. Growing past RLIMIT_FSIZE would be a SIGXFSZ.
static int reserve(int fd, uint64_t from, uint64_t bytes)
{
    if (fd < 0)
        return 0;
    struct rlimit limit;
    if (getrlimit(RLIMIT_FSIZE, &limit) == 0 && limit.rlim_cur != RLIM_INFINITY &&
        from + bytes > limit.rlim_cur)
        return -EFBIG;
    long result;
    do
        result = syscall(SYS_fallocate, fd, 0, (off_t)from, (off_t)bytes);
    while (result < 0 && errno == EINTR);
    if (result == 0)
        return 0;
    if (errno == EOPNOTSUPP || errno == ENOSYS || errno == EPERM)
        return write_zeros(fd, from, bytes);
    return -errno;
}

// Maps a part of the file, or fresh memory if there is no file.
static void *map_part(int fd, uint64_t from, uint64_t bytes)
{
    int flags = fd < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED;
    long address = syscall(SYS_mmap, NULL, (size_t)bytes, PROT_READ | PROT_WRITE, flags, fd,
                           fd < 0 ? 0L : (long)from);
    return address == -1 ? NULL : (void *)address; // NOLINT(performance-no-int-to-ptr)
}

static uint64_t chunk_bytes(enum trace_chunk_type type, uint32_t chunks_before, uint32_t scale)
{
    uint64_t bytes = (uint64_t)layout[type].first_bytes * scale;
    while (chunks_before-- > 0 && bytes < LARGEST_CHUNK)
        bytes *= 2;
    return bytes;
}

static void chunk_add(struct trace_writer *writer, enum trace_chunk_type type,
                      struct trace_chunk *chunk, uint64_t bytes)
{
    struct trace_space *space = &writer->space[type];
    uint32_t first = 1;
    if (space->chunks > 0) {
        const struct trace_chunk *last = space->chunk[space->chunks - 1];
        first = last->first + last->capacity;
    }
    // References of strings are aligned like their headers.
    if (type == TRACE_STRINGS && space->chunks == 0)
        first = sizeof(struct trace_string);
    *chunk = (struct trace_chunk){
        .magic = TRACE_CHUNK_MAGIC,
        .type = (uint16_t)type,
        .record_bytes = layout[type].unit,
        .bytes = bytes,
        .first = first,
        .capacity = (uint32_t)((bytes - sizeof(struct trace_chunk)) / layout[type].unit),
    };
    space->chunk[space->chunks] = chunk;
    space->first[space->chunks] = first;
    __atomic_store_n(&space->chunks, space->chunks + 1, __ATOMIC_RELEASE);
}

static void count_lost(struct trace_writer *writer, int error)
{
    enum trace_lost reason = error == -ENOMEM ? TRACE_LOST_MEMORY : TRACE_LOST_SPACE;
    __atomic_add_fetch(&writer->header->lost[reason], 1, __ATOMIC_RELAXED);
}

static int map_initial(struct trace_writer *writer, int fd)
{
    uint32_t scale = geteuid() == 0 ? PRIVILEGED_SCALE : 1;
    uint64_t bytes = TRACE_HEADER_BYTES;
    for (size_t i = 0; i < sizeof initial_types; i++)
        bytes += chunk_bytes(initial_types[i], 0, scale);
    int error = reserve(fd, 0, bytes);
    if (error == -EFBIG && scale > 1) { // a small file size limit: make do with less
        scale = 1;
        bytes = TRACE_HEADER_BYTES;
        for (size_t i = 0; i < sizeof initial_types; i++)
            bytes += chunk_bytes(initial_types[i], 0, scale);
        error = reserve(fd, 0, bytes);
    }
    if (error < 0)
        return error;
    char *base = map_part(fd, 0, bytes);
    if (!base)
        return -errno;
    struct trace_header *header = (struct trace_header *)base;
    memcpy(header->magic, TRACE_MAGIC, sizeof header->magic);
    header->version = TRACE_VERSION;
    header->byte_order = TRACE_BYTE_ORDER;
    header->header_bytes = TRACE_HEADER_BYTES;
    char *at = base + TRACE_HEADER_BYTES;
    for (size_t i = 0; i < sizeof initial_types; i++) {
        uint64_t part = chunk_bytes(initial_types[i], 0, scale);
        chunk_add(writer, initial_types[i], (struct trace_chunk *)at, part);
        at += part;
    }
    header->file_bytes = bytes;
    __atomic_store_n(&writer->header, header,
                     __ATOMIC_RELEASE); // other threads may use it from here
    return 0;
}

static void begin(struct trace_writer *writer)
{
    memset(writer, 0, sizeof *writer);
    writer->fd = -1;
    lock_init(&writer->lock);
}

static int begin_file(struct trace_writer *writer, int fd)
{
    struct stat status;
    if (fstat(fd, &status) < 0)
        return -errno;
    if (!S_ISREG(status.st_mode))
        return -EINVAL;
    writer->device = status.st_dev;
    writer->inode = status.st_ino;
    return map_initial(writer, fd);
}

int trace_create(struct trace_writer *writer, const char *path)
{
    begin(writer);
    if (!path)
        return map_initial(writer, -1);
    if (strlen(path) >= sizeof writer->path)
        return -ENAMETOOLONG;
    strcpy(writer->path, path);
    __attribute__((cleanup(close_file))) int fd = open_file(path, O_CREAT | O_EXCL);
    if (fd < 0)
        return fd;
    int error = begin_file(writer, fd);
    if (error < 0) {
        (void)syscall(SYS_unlinkat, AT_FDCWD, path, 0);
        memset(writer->space, 0, sizeof writer->space);
    }
    return error;
}

int trace_create_open(struct trace_writer *writer, int fd, const char *path)
{
    begin(writer);
    int error = strlen(path) < sizeof writer->path ? 0 : -ENAMETOOLONG;
    if (error == 0) {
        strcpy(writer->path, path);
        writer->fd = fd;
        error = begin_file(writer, fd);
    }
    if (error < 0) {
        close_file(&fd);
        writer->fd = -1;
    }
    return error;
}

// Calls `release` for each mapping of the trace.
static void each_mapping(const struct trace_writer *writer, void (*release)(void *, size_t))
{
    // Chunks made with the file lie behind the header in one mapping; the others have their own.
    uintptr_t base = (uintptr_t)writer->header;
    uint64_t initial = TRACE_HEADER_BYTES;
    for (size_t i = 0; i < sizeof initial_types; i++)
        initial += writer->space[initial_types[i]].chunk[0]->bytes;
    for (int type = 1; type < TRACE_CHUNK_TYPES; type++) {
        for (uint32_t i = 0; i < writer->space[type].chunks; i++) {
            struct trace_chunk *chunk = writer->space[type].chunk[i];
            if ((uintptr_t)chunk < base || (uintptr_t)chunk >= base + initial)
                release(chunk, chunk->bytes);
        }
    }
    release(writer->header, initial);
}

static void unmap(void *address, size_t bytes)
{
    munmap(address, bytes);
}

static void replace_by_memory(void *address, size_t bytes)
{
    (void)syscall(SYS_mmap, address, bytes, PROT_READ | PROT_WRITE,
                  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0L);
}

static void let_go(struct trace_writer *writer)
{
    memset(writer->space, 0, sizeof writer->space);
    writer->header = NULL;
}

void trace_forget(struct trace_writer *writer)
{
    if (!writer->header)
        return;
    each_mapping(writer, unmap);
    let_go(writer);
}

// Whether the descriptor that was kept is still the trace: programs close and reuse numbers.
static bool is_still_ours(const struct trace_writer *writer, int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 && status.st_dev == writer->device &&
           status.st_ino == writer->inode;
}

void trace_retire(struct trace_writer *writer, bool alone)
{
    if (!writer->header)
        return;
    lock_take(&writer->lock);
    each_mapping(writer, alone ? unmap : replace_by_memory);
    if (writer->fd >= 0 && is_still_ours(writer, writer->fd))
        close_file(&writer->fd);
    writer->fd = -1;
    let_go(writer);
    lock_give(&writer->lock);
}

// The file to grow, as a descriptor of our own; NO_FILE if the trace is kept in memory only, or
// -errno.
enum { NO_FILE = -100000 };
static int reopen(const struct trace_writer *writer)
{
    if (writer->path[0] == 0)
        return NO_FILE;
    long fd = writer->fd >= 0 ? syscall(SYS_fcntl, writer->fd, F_DUPFD_CLOEXEC, 0)
                              : open_file(writer->path, 0);
    if (fd < 0)
        return writer->fd >= 0 ? -errno : (int)fd;
    if (is_still_ours(writer, (int)fd))
        return (int)fd;
    (void)syscall(SYS_close, fd); // another file has taken the name
    return -ESTALE;
}

// Adds a chunk to `type`; the lock is held.
static int grow(struct trace_writer *writer, enum trace_chunk_type type)
{
    struct trace_space *space = &writer->space[type];
    if (space->chunks == TRACE_WRITER_CHUNKS)
        return -ENOSPC;
    __attribute__((cleanup(close_file))) int fd = reopen(writer);
    if (fd < 0 && fd != NO_FILE)
        return fd;
    uint64_t from = writer->header->file_bytes;
    uint64_t bytes = chunk_bytes(type, space->chunks, 1);
    int error = reserve(fd, from, bytes);
    if (error < 0)
        return error;
    struct trace_chunk *chunk = map_part(fd, from, bytes);
    if (!chunk)
        return -errno;
    chunk_add(writer, type, chunk, bytes);
    __atomic_store_n(&writer->header->file_bytes, from + bytes, __ATOMIC_RELEASE);
    return 0;
}

// Reserves `units` adjoining units; the lock is held. The caller advances `count` when it has
// filled them in. NULL if there is no room.
static struct trace_chunk *room(struct trace_writer *writer, enum trace_chunk_type type,
                                uint32_t units)
{
    struct trace_space *space = &writer->space[type];
    if (space->chunks > 0) {
        struct trace_chunk *last = space->chunk[space->chunks - 1];
        if (last->capacity - last->count >= units)
            return last;
    }
    int error = grow(writer, type);
    if (error < 0) {
        count_lost(writer, error);
        return NULL;
    }
    struct trace_chunk *last = space->chunk[space->chunks - 1];
    return last->capacity >= units ? last : NULL;
}

static char *unit_at(struct trace_chunk *chunk, uint32_t index)
{
    return (char *)(chunk + 1) + (size_t)index * chunk->record_bytes;
}

static void publish(struct trace_chunk *chunk, uint32_t units)
{
    __atomic_store_n(&chunk->count, chunk->count + units, __ATOMIC_RELEASE);
}

uint32_t trace_new_record(struct trace_writer *writer, enum trace_chunk_type type, void *record)
{
    uint32_t ref = TRACE_NONE;
    char *address = NULL;
    lock_take(&writer->lock);
    struct trace_chunk *chunk = room(writer, type, 1);
    if (chunk) {
        ref = chunk->first + chunk->count;
        address = unit_at(chunk, chunk->count);
        publish(chunk, 1);
    }
    lock_give(&writer->lock);
    memcpy(record, &address, sizeof address); // *record is a pointer of the caller's type
    return ref;
}

// The chunk that holds `ref`, or NULL.
static struct trace_chunk *chunk_of(const struct trace_writer *writer, enum trace_chunk_type type,
                                    uint32_t ref)
{
    const struct trace_space *space = &writer->space[type];
    if (ref == TRACE_NONE)
        return NULL;
    for (uint32_t i = __atomic_load_n(&space->chunks, __ATOMIC_ACQUIRE); i-- > 0;)
        if (ref >= space->first[i])
            return space->chunk[i];
    return NULL;
}

void *trace_record(const struct trace_writer *writer, enum trace_chunk_type type, uint32_t ref)
{
    struct trace_chunk *chunk = chunk_of(writer, type, ref);
    return chunk ? unit_at(chunk, ref - chunk->first) : NULL;
}

size_t trace_string_kept(const char *text, size_t bytes)
{
    enum { CONTINUATION = 0x80, CONTINUATION_MASK = 0xc0, MOST_CONTINUATIONS = 3 };
    if (bytes <= TRACE_STRING_MOST)
        return bytes;
    bytes = TRACE_STRING_MOST;
    for (int i = 0; i < MOST_CONTINUATIONS; i++)
        bytes -= ((unsigned char)text[bytes] & CONTINUATION_MASK) == CONTINUATION;
    return bytes;
}

uint32_t trace_append_string(struct trace_writer *writer, const char *text, size_t bytes)
{
    bytes = trace_string_kept(text, bytes);
    uint32_t align = sizeof(struct trace_string);
    uint32_t units =
        (uint32_t)(sizeof(struct trace_string) + bytes + 1 + align - 1) / align * align;
    uint32_t ref = TRACE_NONE;
    lock_take(&writer->lock);
    struct trace_chunk *chunk = room(writer, TRACE_STRINGS, units);
    if (chunk) {
        ref = chunk->first + chunk->count;
        struct trace_string *string = (struct trace_string *)unit_at(chunk, chunk->count);
        string->bytes = (uint32_t)bytes;
        memcpy(string->text, text, bytes);
        string->text[bytes] = 0;
        publish(chunk, units);
    }
    lock_give(&writer->lock);
    return ref;
}

const char *trace_string(const struct trace_writer *writer, uint32_t ref)
{
    const struct trace_string *string = trace_record(writer, TRACE_STRINGS, ref);
    return string ? string->text : "";
}

uint32_t trace_append_words(struct trace_writer *writer, enum trace_chunk_type type,
                            const uint64_t *words, uint32_t count)
{
    uint32_t ref = TRACE_NONE;
    lock_take(&writer->lock);
    struct trace_chunk *chunk = room(writer, type, count);
    if (chunk) {
        ref = chunk->first + chunk->count;
        memcpy(unit_at(chunk, chunk->count), words, (size_t)count * sizeof *words);
        publish(chunk, count);
    }
    lock_give(&writer->lock);
    return ref;
}

const uint64_t *trace_words(const struct trace_writer *writer, enum trace_chunk_type type,
                            uint32_t ref)
{
    return trace_record(writer, type, ref);
}
