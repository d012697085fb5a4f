// Whether the process that a trace belongs to still runs.
//
// A pid alone does not tell: it may be reused, and after exec the same process runs another
// program. It runs if the pid exists, began at the same clock tick, and has the trace mapped.
#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "trace/clock.h"
#include "trace/proc.h"
#include "trace/trace_reader_private.h"

static void close_file(FILE **file)
{
    if (*file)
        fclose(*file);
}

static FILE *open_proc(pid_t pid, const char *name)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    return fopen(path, "re");
}

// When the process began, or 0 if there is none or it has ended.
static uint64_t start_ticks(pid_t pid)
{
    char path[64];
    struct proc_stat stat;
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    return proc_stat_read(path, &stat) && !proc_has_ended(&stat) ? stat.start_ticks : 0;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');
    return slash ? slash + 1 : path;
}

enum mapped { NOT_MAPPED, MAPPED, MAPPED_ELSEWHERE, CANNOT_TELL };

// Whether the process has the file mapped. On some file systems (overlayfs, btrfs) the device or
// inode in maps is not that of stat(2), so the name counts too. MAPPED_ELSEWHERE: it has another
// file of that name mapped, so that ours may be a copy.
static enum mapped find_mapping(const struct trace_reader *reader, pid_t pid)
{
    __attribute__((cleanup(close_file))) FILE *file = open_proc(pid, "maps");
    struct stat status;
    if (!file || fstat(reader->fd, &status) < 0)
        return CANNOT_TELL;
    char *real = realpath(reader->path, NULL);
    const char *wanted = base_name(real ? real : reader->path);
    enum mapped result = NOT_MAPPED;
    char *line = NULL;
    size_t room = 0;
    bool read_any = false;
    while (result != MAPPED && getline(&line, &room, file) > 0) {
        unsigned high, low;
        uint64_t inode;
        int name = 0;
        read_any = true;
        line[strcspn(line, "\n")] = 0;
        // Too large a number would be one that matches nothing.
        // NOLINTNEXTLINE(cert-err34-c)
        if (sscanf(line, "%*s %*s %*s %x:%x %" SCNu64 " %n", &high, &low, &inode, &name) < 3 ||
            name == 0 || inode == 0)
            continue;
        bool same_name = strcmp(base_name(line + name), wanted) == 0;
        bool same_file =
            inode == status.st_ino && (same_name || makedev(high, low) == status.st_dev);
        if (same_file || (real && strcmp(line + name, real) == 0))
            result = MAPPED;
        else if (same_name)
            result = MAPPED_ELSEWHERE;
    }
    free(line);
    free(real);
    return read_any ? result : CANNOT_TELL;
}

static enum reader_state find_state(struct trace_reader *reader, pid_t pid)
{
    const struct trace_header *header = &reader->header;
    if (header->ended == TRACE_ENDED_EXIT)
        return READER_EXITED;
    if (header->ended == TRACE_ENDED_SIGNAL)
        return READER_SIGNALED;
    if (header->flags & TRACE_FLAG_DETACHED)
        return READER_DETACHED;
    if (pid <= 0 || start_ticks(pid) != header->process_start_ticks ||
        header->process_start_ticks == 0)
        return READER_GONE;
    switch (find_mapping(reader, pid)) {
    case NOT_MAPPED:
        return READER_EXEC;
    case MAPPED_ELSEWHERE:
        return READER_GONE;
    default:
        return READER_RUNNING;
    }
}

void reader_find_process(struct trace_reader *reader, pid_t pid)
{
    const struct trace_header *header = &reader->header;
    if (pid == 0 && header->pid <= INT32_MAX)
        pid = (pid_t)header->pid;
    reader->state = find_state(reader, pid);
    reader->pid = reader->state == READER_RUNNING ? pid : 0;
    uint64_t now_ns = clock_now(CLOCK_MONOTONIC);
    if (reader->state == READER_RUNNING)
        reader->end_ns = now_ns;
    else
        reader->end_ns = header->end_ns ? header->end_ns : header->last_ns;
    reader->end_known = reader->state == READER_RUNNING || header->end_ns;
    if (reader->end_ns < header->start_ns)
        reader->end_ns = header->start_ns;
}

// Where the record of a session is in the file; 0: nowhere.
static uint64_t session_offset(const struct trace_reader *reader, uint32_t ref)
{
    const struct reader_space *space = &reader->space[TRACE_SESSIONS];
    for (size_t i = 0; i < space->count; i++) {
        const struct reader_chunk *chunk = &space->chunks[i];
        if (ref >= chunk->first && ref - chunk->first < chunk->count)
            return chunk->offset + sizeof(struct trace_chunk) +
                   (uint64_t)(ref - chunk->first) * chunk->record_bytes;
    }
    return 0;
}

bool reader_session_lives(const struct trace_reader *reader, uint32_t ref)
{
    const struct trace_session *read = reader_session(reader, ref);
    const uint64_t offset = session_offset(reader, ref);
    if (!read || offset == 0)
        return false;
    int fd = open(reader->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0)
        return false;
    struct trace_session now;
    ssize_t got = pread(fd, &now, sizeof now, (off_t)offset);
    close(fd);
    return got == (ssize_t)sizeof now && now.state == TRACE_SLOT_LIVE &&
           now.generation == read->generation && now.acquired_ns == read->acquired_ns;
}
