// Opening files with somebody else's rights: see rights.h.
#include "report/code/rights.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { GROUPS_MOST = 1024 };

bool rights_add(struct rights *rights, uid_t uid)
{
    for (size_t i = 0; i < rights->count; i++)
        if (rights->uid[i] == uid)
            return false;
    rights->too_many |= rights->count == RIGHTS_MOST;
    if (!rights->too_many)
        rights->uid[rights->count++] = uid;
    return true;
}

// First without opening: opening a device is an act, and a FIFO may wait.
static int open_regular(const char *path)
{
    char again[64];
    struct stat status;
    int found = open(path, O_PATH | O_CLOEXEC);
    if (found < 0)
        return -errno;
    int fd = -EINVAL;
    if (fstat(found, &status) == 0 && S_ISREG(status.st_mode)) {
        (void)snprintf(again, sizeof again, "/proc/self/fd/%d", found);
        fd = open(again, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
        fd = fd < 0 ? -errno : fd;
    }
    (void)close(found);
    return fd;
}

// The groups of a user. gid: the first one.
static int groups_of(uid_t uid, gid_t *gid, gid_t *groups)
{
    const struct passwd *user = getpwuid(uid);
    int count = GROUPS_MOST;
    *gid = user ? user->pw_gid : (gid_t)65534; // nogroup
    if (!user || getgrouplist(user->pw_name, user->pw_gid, groups, &count) < 0)
        return 0;
    return count;
}

// By system call: glibc would change all threads.
static bool set_groups(const gid_t *groups, int count)
{
    return syscall(SYS_setgroups, (size_t)count, groups) == 0;
}

static int open_as_user(uid_t uid, const char *path)
{
    static gid_t ours[GROUPS_MOST * 64], theirs[GROUPS_MOST];
    gid_t gid;
    int count = getgroups(GROUPS_MOST * 64, ours);
    int their_count = groups_of(uid, &gid, theirs);
    int fd = -EACCES;
    if (count < 0 || !set_groups(theirs, their_count))
        return -EACCES;
    (void)setfsgid(gid);
    (void)setfsuid(uid);
    // Neither call tells of an error: asked with an impossible one, they tell who we are now.
    if ((uid_t)setfsuid((uid_t)-1) == uid && (gid_t)setfsgid((gid_t)-1) == gid)
        fd = open_regular(path);
    (void)setfsuid(geteuid());
    (void)setfsgid(getegid());
    if (!set_groups(ours, count))
        abort(); // to go on with another user's groups would be wrong in silence
    return fd;
}

// What the permission bits alone say, for somebody who cannot become that user: everybody may read
// it, and everybody may get there.
static bool is_open_to_all(const char *path)
{
    struct stat status;
    char *real = realpath(path, NULL);
    bool open = real && stat(real, &status) == 0 && status.st_mode & S_IROTH;
    for (char *slash = real ? strrchr(real, '/') : NULL; open && slash && slash > real;
         slash = strrchr(real, '/')) {
        *slash = '\0';
        open = stat(real, &status) == 0 && status.st_mode & S_IXOTH;
    }
    free(real);
    return open;
}

static int open_as(uid_t uid, const char *path)
{
    if (uid == 0 || uid == geteuid())
        return open_regular(path);
    if (geteuid() == 0)
        return open_as_user(uid, path);
    return is_open_to_all(path) ? open_regular(path) : -EACCES;
}

int rights_open(const struct rights *rights, const char *path)
{
    int fd = rights->too_many ? -EACCES : rights->count == 0 ? open_regular(path) : -1;
    for (size_t i = 0; i < rights->count && !rights->too_many; i++) {
        if (fd >= 0)
            (void)close(fd);
        fd = open_as(rights->uid[i], path);
        if (fd < 0)
            break;
    }
    return fd;
}
