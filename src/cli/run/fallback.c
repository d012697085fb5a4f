// The folder for traces of processes that cannot write where the run's traces belong.
//
// Processes of a run that root starts may become others: they find a place in this one, where
// everybody may create files but nobody can list them. So what is in it is hostile: whoever knows
// its name may have put it there, and may exchange it at any moment. Nothing of it is moved or
// renamed; a trace is copied from an open descriptor that was looked at (run_trace_open), under a
// name that was looked at, and the rest goes with the folder.
#include "cli/cli.h"
#include "cli/run/run.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "shared/output_name.h"

#define PARENT "/tmp"
#define PREFIX "unclosed-"

enum {
    FOLDER_MODE = 01733,
    DEEPEST = 16,               // folders in the folder that are removed
    ENVIRONMENT_MOST = 8 << 20, // of one process; execve takes less
};
static const off_t largest = (off_t)4 << 30; // bytes that are copied of a trace

static struct run *owner; // for what is to be done on the way out

// Removes what is in a folder. Others may have made folders in it and may go on making them: there
// is an end to the patience.
static void empty_folder(int folder, int depth)
{
    int again = depth < DEEPEST ? openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    DIR *entries = again < 0 ? NULL : fdopendir(again);
    const struct dirent *entry = NULL;
    unsigned left = 100000;
    while (entries && left-- > 0 && (entry = readdir(entries))) {
        const char *name = entry->d_name;
        if (strcmp(name, ".") == 0 || strcmp(name, "..") == 0 || unlinkat(folder, name, 0) == 0)
            continue;
        int below = openat(folder, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
        if (below < 0)
            continue;
        empty_folder(below, depth + 1);
        (void)close(below);
        (void)unlinkat(folder, name, AT_REMOVEDIR);
    }
    if (entries)
        (void)closedir(entries);
    else if (again >= 0)
        (void)close(again);
}

// Whether the environment of a process names a folder: then it may still make a trace in it.
static bool process_names(const char *pid, const char *folder)
{
    static char text[1 << 16];
    char path[64];
    size_t length = strlen(folder);
    size_t kept = 0;
    bool found = false;
    ssize_t got = 0;
    (void)snprintf(path, sizeof path, "/proc/%.10s/environ", pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    for (size_t sum = 0; fd >= 0 && !found && sum < ENVIRONMENT_MOST; sum += (size_t)got) {
        got = read(fd, text + kept, sizeof text - kept);
        if (got <= 0)
            break;
        found = memmem(text, kept + (size_t)got, folder, length);
        size_t all = kept + (size_t)got;
        kept = all < length ? all : length;
        memmove(text, text + all - kept, kept);
    }
    if (fd >= 0)
        (void)close(fd);
    return found;
}

static bool is_used(const char *path)
{
    DIR *processes = opendir("/proc");
    const struct dirent *entry = NULL;
    bool used = !processes; // not known
    while (processes && !used && (entry = readdir(processes)))
        if (entry->d_name[0] >= '1' && entry->d_name[0] <= '9')
            used = process_names(entry->d_name, path);
    if (processes)
        (void)closedir(processes);
    return used;
}

// Removes the folder of a tool that was killed, if `name` is one and no process uses it.
static void clear_stale(int parent, const char *name)
{
    char path[sizeof PARENT + 1 + sizeof PREFIX + 6];
    struct stat status;
    int folder = openat(parent, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    if (folder < 0)
        return;
    (void)snprintf(path, sizeof path, PARENT "/%s", name);
    if (fstat(folder, &status) == 0 && status.st_uid == geteuid() &&
        (status.st_mode & 07777) == FOLDER_MODE && flock(folder, LOCK_EX | LOCK_NB) == 0 &&
        !is_used(path)) {
        empty_folder(folder, 0);
        (void)unlinkat(parent, name, AT_REMOVEDIR);
    }
    (void)close(folder);
}

static void clear_all_stale(void)
{
    DIR *parent = opendir(PARENT);
    const struct dirent *entry = NULL;
    while (parent && (entry = readdir(parent)))
        if (strncmp(entry->d_name, PREFIX, sizeof PREFIX - 1) == 0 &&
            strlen(entry->d_name) == sizeof PREFIX - 1 + 6)
            clear_stale(dirfd(parent), entry->d_name);
    if (parent)
        (void)closedir(parent);
}

static void remove_at_exit(void)
{
    run_remove_fallback(owner);
}

void run_make_fallback(struct run *run)
{
    clear_all_stale();
    char *path = strdup(PARENT "/" PREFIX "XXXXXX");
    if (!path)
        cli_no_memory();
    run->fallback_folder = -1;
    if (mkdtemp(path))
        run->fallback_folder = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
    // As long as it is locked, or nobody else may write to it, no other run clears it.
    if (run->fallback_folder < 0 || flock(run->fallback_folder, LOCK_EX | LOCK_NB) != 0 ||
        fchmod(run->fallback_folder, FOLDER_MODE) != 0) {
        (void)rmdir(path);
        free(path);
        return;
    }
    run->fallback = path;
    owner = run;
    (void)atexit(remove_at_exit);
}

void run_each_in_fallback(const struct run *run,
                          void (*visit)(void *data, const char *path,
                                        const struct trace_header *header),
                          void *data)
{
    int again =
        run->fallback ? openat(run->fallback_folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    DIR *entries = again < 0 ? NULL : fdopendir(again);
    const struct dirent *entry = NULL;
    while (entries && (entry = readdir(entries))) {
        struct trace_header header;
        char *path = NULL;
        int fd = run_trace_open(run, run->fallback_folder, entry->d_name, O_RDONLY, &header);
        if (fd < 0)
            continue;
        (void)close(fd);
        if (asprintf(&path, "%s/%s", run->fallback, entry->d_name) < 0)
            cli_no_memory();
        visit(data, path, &header);
        free(path);
    }
    if (entries)
        (void)closedir(entries);
}

// Copies the bytes from `at` to `end`.
static int copy_bytes(int in, int out, off_t at, off_t end)
{
    char block[1 << 16];
    while (at < end) {
        size_t most = end - at < (off_t)sizeof block ? (size_t)(end - at) : sizeof block;
        ssize_t got = pread(in, block, most, at);
        if (got <= 0)
            return got < 0 && errno != EINTR ? -errno : got < 0 ? 0 : -EIO;
        for (ssize_t done = 0; done < got;) {
            ssize_t put = pwrite(out, block + done, (size_t)(got - done), at + done);
            if (put < 0 && errno != EINTR)
                return -errno;
            done += put > 0 ? put : 0;
        }
        at += got;
    }
    return 0;
}

// Copies a file, holes left out: the work is that of the bytes that are there.
static int copy(int in, int out)
{
    struct stat status;
    off_t sum = 0;
    off_t end = 0;
    if (fstat(in, &status) != 0)
        return -errno;
    for (off_t at = 0; at < status.st_size; at = end) {
        at = lseek(in, at, SEEK_DATA);
        if (at < 0)
            break; // ENXIO: only holes follow
        end = lseek(in, at, SEEK_HOLE);
        if (end < at || end > status.st_size)
            end = status.st_size;
        sum += end - at;
        int error = sum > largest ? -EFBIG : copy_bytes(in, out, at, end);
        if (error < 0)
            return error;
    }
    // The owner of a copy is ours: whose words it holds is told by its header .
    uint32_t uid = status.st_uid;
    if (ftruncate(out, status.st_size) != 0 ||
        pwrite(out, &uid, sizeof uid, offsetof(struct trace_header, uid)) != sizeof uid)
        return -errno;
    return 0;
}

// The folder that a process's trace belongs to, as far as it is there.
static void home_of(const struct run *run, const struct trace_header *header, char *path)
{
    const char *pattern = run->table.options.output;
    const char *base = strrchr(header->exe, '/');
    char host[HOST_NAME_MAX + 1] = "";
    (void)gethostname(host, sizeof host - 1);
    const struct output_names names = {.pid = header->pid,
                                       .executable = base ? base + 1 : header->exe,
                                       .seconds = header->start_realtime / 1000000000,
                                       .host = host};
    if (output_name(pattern, &names, false, path, PATH_MAX) == 0 && path[0] == '/') {
        *strrchr(path, '/') = '\0';
        // A program may be called "..".
        if (!strstr(path, "/..") && !strstr(path, "/./") && access(path, F_OK) == 0)
            return;
    }
    // What comes before the first folder that differs from process to process was there at start.
    (void)snprintf(path, PATH_MAX, "%.*s", (int)strcspn(pattern, "%"), pattern);
    *strrchr(path, '/') = '\0';
}

// Makes a file where the trace belongs, .NUMBER behind a name that is taken. Result: a descriptor,
// or -errno. path: PATH_MAX bytes.
static int make_home(const char *folder, const char *name, char *path)
{
    for (int try = 0; try < 100; try++) {
        int bytes = snprintf(path, PATH_MAX, try ? "%s/%s.%d" : "%s/%s", folder, name, try);
        if (bytes >= PATH_MAX)
            return -ENAMETOOLONG;
        int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd >= 0 || errno != EEXIST)
            return fd >= 0 ? fd : -errno;
    }
    return -EEXIST;
}

// Takes over a trace of an ended process. Result: 0, or -errno with nothing left behind.
static int take_over(const struct run *run, int in, const char *name,
                     const struct trace_header *header)
{
    char folder[PATH_MAX];
    char home[PATH_MAX];
    home_of(run, header, folder);
    int out = make_home(folder, name, home);
    int error = out < 0 ? out : copy(in, out);
    if (out >= 0 && close(out) != 0 && !error)
        error = -errno;
    if (out >= 0 && error < 0)
        (void)unlink(home);
    if (!error)
        (void)unlinkat(run->fallback_folder, name, 0);
    return error;
}

static void look_at(struct run *run, const char *name, unsigned *strange)
{
    struct trace_header header;
    int in = run_trace_open(run, run->fallback_folder, name, O_RDONLY, &header);
    if (in < 0) {
        ++*strange;
        return;
    }
    // A process that still runs opens its trace again by its path.
    if (header.ended != TRACE_ENDED_UNKNOWN || !run_trace_is_running(&header)) {
        int error = take_over(run, in, name, &header);
        if (error < 0)
            cli_message(
                "cannot copy the trace %s/%s to %.*s: %s; it stays there until the next run",
                run->fallback, name,
                (int)(strrchr(run->table.options.output, '/') - run->table.options.output),
                run->table.options.output, strerror(-error));
        run->fallback_stays |= error < 0;
    }
    (void)close(in);
}

void run_bring_home(struct run *run)
{
    int again =
        run->fallback ? openat(run->fallback_folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC) : -1;
    DIR *entries = again < 0 ? NULL : fdopendir(again);
    const struct dirent *entry = NULL;
    unsigned strange = 0;
    while (entries && (entry = readdir(entries)))
        if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
            look_at(run, entry->d_name, &strange);
    if (entries)
        (void)closedir(entries);
    if (strange > 0)
        cli_message(
            "%u file%s that processes of the run have left in %s %s no traces of theirs; not "
            "taken over",
            strange, strange == 1 ? "" : "s", run->fallback, strange == 1 ? "is" : "are");
}

static void note_running(void *data, const char *path, const struct trace_header *header)
{
    bool *runs = data;
    (void)path;
    *runs |= header->ended == TRACE_ENDED_UNKNOWN && run_trace_is_running(header);
}

void run_remove_fallback(struct run *run)
{
    bool stays = run->fallback_stays;
    if (!run->fallback)
        return;
    run_each_in_fallback(run, note_running, &stays);
    // A process that runs on goes on with its trace; the next run clears the folder.
    if (!stays) {
        empty_folder(run->fallback_folder, 0);
        (void)rmdir(run->fallback);
    }
    (void)close(run->fallback_folder);
    free(run->fallback);
    run->fallback = NULL;
}
