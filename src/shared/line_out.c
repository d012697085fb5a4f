// Writing one line without harm: see line_out.h.
#include "shared/line_out.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdint.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

// POLLERR: nobody reads any more (SIGPIPE). A pipe that takes anything takes PIPE_BUF bytes, see
// pipe(7). A file must not grow past its limit (SIGXFSZ).
static bool is_ready(int fd, size_t bytes, int patience_ms)
{
    struct pollfd end = {.fd = fd, .events = POLLOUT};
    struct timespec patience = {patience_ms / 1000, patience_ms % 1000 * 1000000L};
    struct stat status;
    struct rlimit limit;
    long count;
    do // the kernel takes off what has passed
        count = syscall(SYS_ppoll, &end, 1, &patience, NULL, 0);
    while (count < 0 && errno == EINTR);
    if (count != 1 || end.revents != POLLOUT)
        return false;
    return fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) ||
           getrlimit(RLIMIT_FSIZE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY ||
           (uint64_t)status.st_size + bytes <= limit.rlim_cur;
}

bool line_out(int fd, const char *line, size_t bytes)
{
    return line_out_wait(fd, line, bytes, 0);
}

bool line_out_wait(int fd, const char *line, size_t bytes, int patience_ms)
{
    return fd >= 0 && is_ready(fd, bytes, patience_ms) &&
           syscall(SYS_write, fd, line, bytes) == (long)bytes;
}

// Folders that belong to the system, but for the one in which everybody may create files.
static bool is_of_system(const char *path)
{
    static const char shared_memory[] = "/dev/shm/";
    if (strstr(path, "/../"))
        return false;
    return (strncmp(path, "/dev/", 5) == 0 &&
            strncmp(path, shared_memory, sizeof shared_memory - 1) != 0) ||
           strncmp(path, "/proc/", 6) == 0;
}

int line_out_open(const char *path, bool create)
{
    struct stat status;
    int flags = O_WRONLY | O_APPEND | O_CLOEXEC | O_NOCTTY | O_NONBLOCK;
    flags |= (create ? O_CREAT : 0) | (is_of_system(path) ? 0 : O_NOFOLLOW);
    long fd = syscall(SYS_openat, AT_FDCWD, path, flags, 0600);
    if (fd < 0)
        return -errno;
    if (fstat((int)fd, &status) == 0 &&
        (S_ISREG(status.st_mode) || S_ISFIFO(status.st_mode) || S_ISCHR(status.st_mode)))
        return (int)fd;
    (void)syscall(SYS_close, fd);
    return -EINVAL;
}
