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
#include <sys/uio.h>
#include <unistd.h>

#include "trace/clock.h"
#include "trace/trace_units.h"
#include "trace/trace_writer_private.h"

// Bytes of the first chunk of each space; each further one is twice as large.
static const uint32_t first_bytes[TRACE_CHUNK_TYPES] = {
    [TRACE_STRINGS] = 16384,     [TRACE_STACKS] = 32768,    [TRACE_MODULES] = 16384,
    [TRACE_LOCATIONS] = 8192,    [TRACE_FUNCTIONS] = 8192,  [TRACE_POOLS] = 8192,
    [TRACE_SITES] = 32768,       [TRACE_SESSIONS] = 32768,  [TRACE_MISUSES] = 4096,
    [TRACE_EXHAUSTIONS] = 16384, [TRACE_HISTORIES] = 12288,
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
    uint64_t bytes = (uint64_t)first_bytes[type] * scale;
    while (chunks_before-- > 0 && bytes < LARGEST_CHUNK)
        bytes *= 2;
    return bytes;
}

static uint32_t next_first(enum trace_chunk_type type, const struct trace_space *space)
{
    if (space->chunks > 0)
        return space->first[space->chunks - 1] + space->capacity[space->chunks - 1];
    // References of strings are aligned like their headers.
    return type == TRACE_STRINGS ? sizeof(struct trace_string) : 1;
}

static void chunk_add(struct trace_writer *writer, enum trace_chunk_type type,
                      struct trace_chunk *chunk, uint64_t bytes)
{
    struct trace_space *space = &writer->space[type];
    uint32_t first = next_first(type, space);
    uint32_t capacity = (uint32_t)((bytes - sizeof(struct trace_chunk)) / trace_unit_bytes[type]);
    *chunk = (struct trace_chunk){
        .magic = TRACE_CHUNK_MAGIC,
        .type = (uint16_t)type,
        .record_bytes = trace_unit_bytes[type],
        .bytes = bytes,
        .first = first,
        .capacity = capacity,
    };
    space->chunk[space->chunks] = chunk;
    space->bytes[space->chunks] = (uint32_t)bytes;
    space->first[space->chunks] = first;
    space->capacity[space->chunks] = capacity;
    space->count[space->chunks] = 0;
    __atomic_store_n(&space->chunks, space->chunks + 1, __ATOMIC_RELEASE);
}

static void count_lost(struct trace_writer *writer, int error)
{
    enum trace_lost reason = error == -ENOMEM ? TRACE_LOST_MEMORY : TRACE_LOST_SPACE;
    if (writer->sealed)
        reason = TRACE_LOST_FILTER;
    __atomic_add_fetch(&writer->header->lost[reason], 1, __ATOMIC_RELAXED);
}

static void set_fresh(struct trace_writer *writer, const void *part, uint64_t bytes)
{
    writer->fresh_bytes = bytes;
    writer->fresh = part;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
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
    set_fresh(writer, base, bytes);
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
    header->file_bytes = writer->file_bytes = bytes;
    __atomic_store_n(&writer->header, header,
                     __ATOMIC_RELEASE); // other threads may use it from here
    set_fresh(writer, NULL, 0);
    return 0;
}

static void begin(struct trace_writer *writer)
{
    memset(writer, 0, sizeof *writer);
    writer->fd = -1;
    lock_make(&writer->lock, LOCK_LAST);
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

// Bytes of the header and of the chunks made with the file, which lie behind it in one mapping.
static uint64_t initial_bytes(const struct trace_writer *writer)
{
    uint64_t bytes = TRACE_HEADER_BYTES;
    for (size_t i = 0; i < sizeof initial_types; i++)
        bytes += writer->space[initial_types[i]].bytes[0];
    return bytes;
}

static bool lies_in(const void *address, const void *start, uint64_t bytes)
{
    return (uintptr_t)address - (uintptr_t)start < bytes;
}

// Calls `release` for each mapping of the trace.
static void each_mapping(const struct trace_writer *writer, void (*release)(void *, size_t))
{
    const uint64_t initial = initial_bytes(writer);
    for (int type = 1; type < TRACE_CHUNK_TYPES; type++) {
        const struct trace_space *space = &writer->space[type];
        for (uint32_t i = 0; i < __atomic_load_n(&space->chunks, __ATOMIC_ACQUIRE); i++)
            if (!lies_in(space->chunk[i], writer->header, initial))
                release(space->chunk[i], space->bytes[i]);
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
    set_fresh(writer, NULL, 0);
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
// Nor does a file that was shortened grow again: what lies in between would be a hole.
static bool is_still_ours(const struct trace_writer *writer, int fd)
{
    struct stat status;
    return fstat(fd, &status) == 0 && trace_is_file(writer, &status) &&
           (uint64_t)status.st_size >= writer->file_bytes;
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
static int grow_by(struct trace_writer *writer, enum trace_chunk_type type, uint64_t bytes)
{
    struct trace_space *space = &writer->space[type];
    if (space->chunks == TRACE_WRITER_CHUNKS)
        return -ENOSPC;
    __attribute__((cleanup(close_file))) int fd = reopen(writer);
    if (fd < 0 && fd != NO_FILE)
        return fd;
    uint64_t from = writer->file_bytes;
    int error = reserve(fd, from, bytes);
    if (error < 0)
        return error;
    struct trace_chunk *chunk = map_part(fd, from, bytes);
    if (!chunk)
        return -errno;
    set_fresh(writer, chunk, bytes);
    chunk_add(writer, type, chunk, bytes);
    set_fresh(writer, NULL, 0);
    writer->file_bytes = from + bytes;
    __atomic_store_n(&writer->header->file_bytes, from + bytes, __ATOMIC_RELEASE);
    return 0;
}

static int grow(struct trace_writer *writer, enum trace_chunk_type type)
{
    return grow_by(writer, type, chunk_bytes(type, writer->space[type].chunks, 1));
}

void trace_seal(struct trace_writer *writer)
{
    enum { RESERVED_BYTES = 256 << 10, RESERVED_FOR_SESSIONS = 1 << 20 };
    lock_take(&writer->lock);
    for (int type = 1; type < TRACE_CHUNK_TYPES && !writer->sealed; type++)
        (void)grow_by(writer, (enum trace_chunk_type)type,
                      type == TRACE_SESSIONS ? RESERVED_FOR_SESSIONS : RESERVED_BYTES);
    writer->sealed = true;
    lock_give(&writer->lock);
}

// Grows, but does not try all the time while it is not possible: the program pays for each try.
static bool try_to_grow(struct trace_writer *writer, enum trace_chunk_type type)
{
    const uint64_t pause_ns = 100000000;
    uint64_t now_ns = clock_now(CLOCK_MONOTONIC_COARSE);
    int error = writer->sealed ? -EPERM : now_ns < writer->retry_ns ? -ENOSPC : grow(writer, type);
    if (error == 0)
        return true;
    count_lost(writer, error);
    if (writer->sealed || now_ns < writer->retry_ns)
        return false;
    writer->retry_ns = now_ns + pause_ns;
    if ((error == -ENOENT || error == -ESTALE) && writer->on_damage && !trace_is_intact(writer))
        writer->on_damage();
    return false;
}

// Where adjoining units were reserved: the index of the chunk in its space, and of the first one.
struct room {
    struct trace_space *space;
    uint32_t chunk, index;
};

// Reserves `units` adjoining units; the lock is held. The caller publishes them when it has
// filled them in. false: there is no room.
static bool find_room(struct trace_writer *writer, enum trace_chunk_type type, uint32_t units,
                      struct room *room)
{
    struct trace_space *space = &writer->space[type];
    uint32_t last = space->chunks - 1;
    if (space->chunks == 0 || space->capacity[last] - space->count[last] < units) {
        if (!try_to_grow(writer, type))
            return false;
        last = space->chunks - 1;
    }
    *room = (struct room){space, last, space->count[last]};
    return space->capacity[last] >= units;
}

static void *unit_at(const struct trace_writer *writer, enum trace_chunk_type type, uint32_t chunk,
                     uint32_t index)
{
    return (char *)(writer->space[type].chunk[chunk] + 1) + (size_t)index * trace_unit_bytes[type];
}

static uint32_t publish(const struct room *room, uint32_t units)
{
    struct trace_space *space = room->space;
    uint32_t count = room->index + units;
    __atomic_store_n(&space->count[room->chunk], count, __ATOMIC_RELEASE);
    __atomic_store_n(&space->chunk[room->chunk]->count, count, __ATOMIC_RELEASE);
    return space->first[room->chunk] + room->index;
}

uint32_t trace_new_record(struct trace_writer *writer, enum trace_chunk_type type, void *record)
{
    uint32_t ref = TRACE_NONE;
    void *address = NULL;
    struct room room;
    lock_take(&writer->lock);
    if (find_room(writer, type, 1, &room)) {
        address = unit_at(writer, type, room.chunk, room.index);
        ref = publish(&room, 1);
    }
    lock_give(&writer->lock);
    memcpy(record, &address, sizeof address); // *record is a pointer of the caller's type
    return ref;
}

// The chunk that holds `ref`, or false. *index: of the unit in it.
static inline bool find_unit(const struct trace_writer *writer, enum trace_chunk_type type,
                             uint32_t ref, uint32_t *chunk, uint32_t *index)
{
    const struct trace_space *space = &writer->space[type];
    for (uint32_t i = __atomic_load_n(&space->chunks, __ATOMIC_ACQUIRE); i-- > 0;) {
        if (ref < space->first[i])
            continue;
        *chunk = i;
        *index = ref - space->first[i];
        return ref != TRACE_NONE && *index < space->capacity[i];
    }
    return false;
}

void *trace_record(const struct trace_writer *writer, enum trace_chunk_type type, uint32_t ref)
{
    uint32_t chunk, index;
    return find_unit(writer, type, ref, &chunk, &index) ? unit_at(writer, type, chunk, index)
                                                        : NULL;
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
    struct room room;
    lock_take(&writer->lock);
    if (find_room(writer, TRACE_STRINGS, units, &room)) {
        struct trace_string *string = unit_at(writer, TRACE_STRINGS, room.chunk, room.index);
        string->bytes = (uint32_t)bytes;
        memcpy(string->text, text, bytes);
        string->text[bytes] = 0;
        ref = publish(&room, units);
    }
    lock_give(&writer->lock);
    return ref;
}

const char *trace_string(const struct trace_writer *writer, uint32_t ref)
{
    uint32_t chunk, index;
    if (!find_unit(writer, TRACE_STRINGS, ref, &chunk, &index))
        return "";
    const struct trace_string *string = unit_at(writer, TRACE_STRINGS, chunk, index);
    uint32_t room = writer->space[TRACE_STRINGS].capacity[chunk] - index;
    uint32_t bytes = room > sizeof *string ? string->bytes : UINT32_MAX;
    return bytes < room - sizeof *string && string->text[bytes] == 0 ? string->text : "";
}

uint32_t trace_append_words(struct trace_writer *writer, enum trace_chunk_type type,
                            const uint64_t *words, uint32_t count)
{
    uint32_t ref = TRACE_NONE;
    struct room room;
    lock_take(&writer->lock);
    if (find_room(writer, type, count, &room)) {
        memcpy(unit_at(writer, type, room.chunk, room.index), words, (size_t)count * sizeof *words);
        ref = publish(&room, count);
    }
    lock_give(&writer->lock);
    return ref;
}

const uint64_t *trace_words(const struct trace_writer *writer, enum trace_chunk_type type,
                            uint32_t ref)
{
    return trace_record(writer, type, ref);
}

uint32_t trace_stack_frames(const struct trace_writer *writer, uint32_t ref,
                            const uint64_t **frames, uint64_t *seen_ns)
{
    enum { HEAD_WORDS = sizeof(struct trace_stack) / sizeof(uint64_t) };
    uint32_t chunk, index;
    if (!find_unit(writer, TRACE_STACKS, ref, &chunk, &index))
        return 0;
    uint32_t room = writer->space[TRACE_STACKS].capacity[chunk] - index;
    const struct trace_stack *stack = unit_at(writer, TRACE_STACKS, chunk, index);
    if (room < HEAD_WORDS)
        return 0;
    uint32_t count = stack->frame_count;
    if (seen_ns)
        *seen_ns = stack->seen_ns;
    *frames = stack->frames;
    return count <= room - HEAD_WORDS ? count : 0;
}

void trace_each(const struct trace_writer *writer, enum trace_chunk_type type,
                void (*visit)(const void *record, uint32_t ref, void *data), void *data)
{
    const struct trace_space *space = &writer->space[type];
    uint32_t chunks = __atomic_load_n(&space->chunks, __ATOMIC_ACQUIRE);
    for (uint32_t i = 0; i < chunks; i++) {
        uint32_t count = __atomic_load_n(&space->count[i], __ATOMIC_ACQUIRE);
        for (uint32_t j = 0; j < count; j++)
            visit(unit_at(writer, type, i, j), space->first[i] + j, data);
    }
}

bool trace_covers(const struct trace_writer *writer, const void *address)
{
    if (writer->fresh && lies_in(address, writer->fresh, writer->fresh_bytes))
        return true;
    if (!writer->header)
        return false;
    if (lies_in(address, writer->header, initial_bytes(writer)))
        return true;
    for (int type = 1; type < TRACE_CHUNK_TYPES; type++) {
        const struct trace_space *space = &writer->space[type];
        for (uint32_t i = __atomic_load_n(&space->chunks, __ATOMIC_ACQUIRE); i-- > 0;)
            if (lies_in(address, space->chunk[i], space->bytes[i]))
                return true;
    }
    return false;
}

// Copies what is left of a part of the file, page by page. The kernel reads: where nothing is left
// it says so, and sends no signal.
static void copy_what_is_left(char *to, const void *from, size_t bytes)
{
    enum { PAGE = 4096 };
    long self = syscall(SYS_getpid);
    for (size_t done = 0; done < bytes; done += PAGE) {
        struct iovec into = {to + done, PAGE};
        struct iovec out_of = {(char *)(uintptr_t)from + done, PAGE};
        (void)syscall(SYS_process_vm_readv, self, &into, 1L, &out_of, 1L, 0L);
    }
}

static void put_memory(void *address, size_t bytes)
{
    void *fresh = map_part(-1, 0, bytes);
    if (!fresh)
        return;
    copy_what_is_left(fresh, address, bytes);
    (void)syscall(SYS_mremap, fresh, bytes, bytes, MREMAP_MAYMOVE | MREMAP_FIXED, address);
}

void trace_abandon(const struct trace_writer *writer)
{
    if (writer->fresh)
        put_memory((void *)(uintptr_t)writer->fresh, writer->fresh_bytes);
    if (writer->header)
        each_mapping(writer, put_memory);
}
