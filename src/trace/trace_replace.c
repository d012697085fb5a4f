// Making room for a trace whose name is taken: see trace_replace.h.
//
// The name may lead to anything: a FIFO, of which opening could wait for ever; a device, of which
// opening is an act; a link to a file that nobody meant. So the file is opened in the one way that
// does none of this, and looked at before anything is read.
#include "trace/trace_replace.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "trace/trace_format.h"

static bool is_same_file(const struct stat *a, const struct stat *b)
{
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

static bool is_gone(uint32_t pid)
{
    return pid == 0 || pid > INT_MAX || (kill((pid_t)pid, 0) != 0 && errno == ESRCH);
}

// Whether an open file is an old trace of ours.
static bool is_old_trace(int fd, uint32_t pid, uint64_t run_id, struct stat *status)
{
    char magic[sizeof TRACE_MAGIC - 1];
    uint32_t writer = 0; // not the whole header: the stack may be small
    uint64_t run = 0;
    if (fstat(fd, status) != 0 || !S_ISREG(status->st_mode) || status->st_nlink != 1 ||
        status->st_uid != geteuid() ||
        syscall(SYS_pread64, fd, magic, sizeof magic, 0L) != (long)sizeof magic ||
        memcmp(magic, TRACE_MAGIC, sizeof magic) != 0 ||
        syscall(SYS_pread64, fd, &writer, sizeof writer,
                (long)offsetof(struct trace_header, pid)) != (long)sizeof writer ||
        syscall(SYS_pread64, fd, &run, sizeof run, (long)offsetof(struct trace_header, run_id)) !=
            (long)sizeof run)
        return false;
    if (run_id != 0 && run == run_id)
        return false;
    return writer == pid || is_gone(writer);
}

// What there is under the name, without opening it: a device must not be.
static int look(const char *path, struct stat *found)
{
    if (fstatat(AT_FDCWD, path, found, AT_SYMLINK_NOFOLLOW) != 0)
        return errno == ENOENT ? -ENOENT : -EEXIST;
    return S_ISREG(found->st_mode) ? 0 : -EEXIST;
}

static int check(const char *path, uint32_t pid, uint64_t run_id, struct stat *found)
{
    struct stat opened;
    int error = look(path, found);
    if (error < 0)
        return error;
    long fd = syscall(SYS_openat, AT_FDCWD, path,
                      O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, 0);
    if (fd < 0)
        return -EEXIST;
    bool old = is_old_trace((int)fd, pid, run_id, &opened) && is_same_file(&opened, found);
    (void)syscall(SYS_close, fd);
    return old ? 0 : -EEXIST;
}

int trace_may_replace(const char *path, uint32_t pid, uint64_t run_id)
{
    struct stat found;
    return check(path, pid, run_id, &found);
}

int trace_remove_old(const char *path, uint32_t pid, uint64_t run_id)
{
    struct stat found, now;
    int error = check(path, pid, run_id, &found);
    if (error < 0)
        return error;
    if (look(path, &now) < 0 || !is_same_file(&found, &now) ||
        syscall(SYS_unlinkat, AT_FDCWD, path, 0) != 0)
        return -EEXIST;
    return 0;
}
