// Whether the file of a trace that is being written is still what it was: see trace_writer.h.
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "trace/trace_writer_private.h"

// Reads /proc/self/maps bit by bit: a small buffer, for the stack may be small.
struct maps {
    int fd;
    ssize_t got, at;
    char buffer[256];
};

static int next_byte(struct maps *maps)
{
    if (maps->at == maps->got) {
        maps->at = 0;
        maps->got = syscall(SYS_read, maps->fd, maps->buffer, sizeof maps->buffer);
        if (maps->got <= 0) {
            maps->got = 0;
            return -1;
        }
    }
    return (unsigned char)maps->buffer[maps->at++];
}

// Reads one line: "start-end perms ... path". false: the last one was read.
static bool next_line(struct maps *maps, uint64_t *start, bool *deleted)
{
    static const char mark[] = " (deleted)";
    size_t matched = 0;
    bool in_start = true;
    int byte;
    *start = 0;
    while ((byte = next_byte(maps)) >= 0 && byte != '\n') {
        in_start = in_start && byte != '-';
        if (in_start)
            *start = *start * 16 + (uint64_t)(byte <= '9' ? byte - '0' : byte - 'a' + 10);
        matched = matched < sizeof mark - 1 && byte == mark[matched] ? matched + 1 : byte == ' ';
    }
    *deleted = matched == sizeof mark - 1;
    return byte >= 0;
}

// Whether nobody can find the file any more, under any name. Not known without /proc: no.
static bool is_deleted(const struct trace_writer *writer)
{
    struct maps maps = {.fd = (int)syscall(SYS_openat, AT_FDCWD, "/proc/self/maps",
                                           O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK)};
    uint64_t start;
    bool deleted = false, found = false;
    while (maps.fd >= 0 && !found && next_line(&maps, &start, &deleted))
        found = start == (uint64_t)(uintptr_t)writer->header;
    if (maps.fd >= 0)
        (void)syscall(SYS_close, maps.fd);
    return found && deleted;
}

bool trace_is_intact(const struct trace_writer *writer)
{
    struct stat status;
    if (!writer->header || writer->path[0] == 0)
        return true;
    if (memcmp(writer->header->magic, TRACE_MAGIC, sizeof writer->header->magic) != 0)
        return false;
    bool found = writer->fd >= 0
                     ? fstat(writer->fd, &status) == 0
                     : fstatat(AT_FDCWD, writer->path, &status, AT_SYMLINK_NOFOLLOW) == 0;
    if (found && trace_is_file(writer, &status))
        return (uint64_t)status.st_size >= writer->file_bytes && status.st_nlink > 0;
    return !is_deleted(writer); // renamed, or in a place where we cannot look
}
