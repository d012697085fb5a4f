// Writing one line without harm: see line_out.h.
#include "shared/line_out.h"

#include <poll.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

// POLLERR: nobody reads any more (SIGPIPE). A pipe that takes anything takes PIPE_BUF bytes, see
// pipe(7). A file must not grow past its limit (SIGXFSZ).
static bool is_ready(int fd, size_t bytes)
{
    struct pollfd end = {.fd = fd, .events = POLLOUT};
    const struct timespec now = {0};
    struct stat status;
    struct rlimit limit;
    if (syscall(SYS_ppoll, &end, 1, &now, NULL, 0) != 1 || end.revents != POLLOUT)
        return false;
    return fstat(fd, &status) < 0 || !S_ISREG(status.st_mode) ||
           getrlimit(RLIMIT_FSIZE, &limit) < 0 || limit.rlim_cur == RLIM_INFINITY ||
           (uint64_t)status.st_size + bytes <= limit.rlim_cur;
}

bool line_out(int fd, const char *line, size_t bytes)
{
    return fd >= 0 && is_ready(fd, bytes) && syscall(SYS_write, fd, line, bytes) == (long)bytes;
}
