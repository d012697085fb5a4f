// A recorder that every user can load.
//
// A command that root starts may become another user and execute programs: the loader would print
// an error into their standard error if that user cannot read the library, because it was built in
// root's home. So it gets a copy below /run, once for each build, gone after the next boot.
#include "cli/cli.h"
#include "cli/run/run.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sendfile.h>
#include <sys/stat.h>
#include <unistd.h>

#define FOLDER "/run/unclosed"

// Whether users other than the owner can open `path`, an absolute one.
static bool is_open_to_all(const char *path)
{
    char folder[PATH_MAX];
    struct stat status;
    if (stat(path, &status) != 0 || !(status.st_mode & S_IROTH))
        return false;
    for (const char *slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
        (void)snprintf(folder, sizeof folder, "%.*s", (int)(slash - path), path);
        if (stat(folder, &status) != 0 || !(status.st_mode & S_IXOTH))
            return false;
    }
    return true;
}

// A folder that only we can write to and everybody can enter; false: not to be had.
static bool make_folder(const char *path)
{
    struct stat status;
    if (mkdir(path, 0755) == 0)
        return chmod(path, 0755) == 0; // whatever the umask says
    return errno == EEXIST && lstat(path, &status) == 0 && S_ISDIR(status.st_mode) &&
           status.st_uid == geteuid() && (status.st_mode & 07777) == 0755;
}

// Copies `from` (`bytes` long) to `to`, complete or not at all.
static bool copy_library(const char *from, off_t bytes, const char *to)
{
    char new[PATH_MAX];
    (void)snprintf(new, sizeof new, "%s.XXXXXX", to);
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = in < 0 ? -1 : mkostemp(new, O_CLOEXEC);
    off_t done = 0;
    ssize_t got = 1;
    while (out >= 0 && done < bytes && got > 0) {
        got = sendfile(out, in, NULL, (size_t)(bytes - done));
        done += got > 0 ? got : 0;
    }
    bool good = out >= 0 && done == bytes && fchmod(out, 0644) == 0;
    if (in >= 0)
        (void)close(in);
    if (out >= 0 && close(out) != 0)
        good = false;
    good = good && rename(new, to) == 0;
    if (out >= 0 && !good)
        (void)unlink(new);
    return good;
}

char *run_library_for_all(char *path)
{
    char folder[PATH_MAX];
    char *copy = NULL;
    struct stat status;
    struct stat there;
    if (geteuid() != 0 || is_open_to_all(path) || stat(path, &status) != 0)
        return path;
    (void)snprintf(folder, sizeof folder, FOLDER "/%jx.%lx", (uintmax_t)status.st_mtim.tv_sec,
                   (unsigned long)status.st_mtim.tv_nsec);
    if (asprintf(&copy, "%s/libunclosed.so", folder) < 0)
        cli_no_memory();
    if (make_folder(FOLDER) && make_folder(folder) &&
        ((lstat(copy, &there) == 0 && S_ISREG(there.st_mode) && there.st_size == status.st_size) ||
         copy_library(path, status.st_size, copy))) {
        free(path);
        return copy;
    }
    cli_message("other users cannot read %s: if the command switches to another user, nothing is "
                "recorded from then on; install unclosed where everybody can read it",
                path);
    free(copy);
    return path;
}
