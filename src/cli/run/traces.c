// The traces of a run, once the command has ended: found by the run's id, completed, brought home.
//
// Reads headers only; what is in a trace is the report's business.
#include "cli/cli.h"
#include "cli/run/run.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "trace/clock.h"
#include "trace/proc.h"
#include "trace/trace_format.h"

struct found {
    char **paths;
    size_t count;
    char *own; // of `paths`: the command's own, last one
    uint64_t own_start_ns;
};

// Reads the header of the trace `path` if it belongs to this run. Nobody may lead us elsewhere: the
// fallback folder is open to all users.
static bool read_header(const struct run *run, const char *path, struct trace_header *header)
{
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return false;
    bool good = fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
                pread(fd, header, sizeof *header, 0) == sizeof *header &&
                memcmp(header->magic, TRACE_MAGIC, sizeof header->magic) == 0 &&
                header->version == TRACE_VERSION && header->byte_order == TRACE_BYTE_ORDER &&
                header->run_id == run->run_id;
    (void)close(fd);
    return good;
}

// Whether the process that wrote the trace is still there, and still the same one.
static bool is_running(const struct trace_header *header)
{
    char path[64];
    struct proc_stat stat;
    (void)snprintf(path, sizeof path, "/proc/%u/stat", header->pid);
    return proc_stat_read(path, &stat) && !proc_has_ended(&stat) &&
           stat.start_ticks == header->process_start_ticks;
}

// Adds `path`, which now belongs to `found`.
static void add_found(const struct run *run, struct found *found, char *path,
                      const struct trace_header *header)
{
    found->paths = reallocarray(found->paths, found->count + 1, sizeof *found->paths);
    if (!found->paths)
        cli_no_memory();
    found->paths[found->count++] = path;
    if (header->pid == (uint32_t)run->pid && header->start_ns >= found->own_start_ns) {
        found->own = path;
        found->own_start_ns = header->start_ns;
    }
    if (header->ended == TRACE_ENDED_UNKNOWN && is_running(header))
        cli_message("process %u of this run is still running; later, 'unclosed report %s' tells "
                    "more",
                    header->pid, path);
}

// The pattern of output_name as a pattern of glob(3), to be freed.
static char *glob_pattern(const char *pattern)
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    if (!out)
        cli_no_memory();
    for (const char *at = pattern; *at; at++) {
        if (*at == '%' && at[1] != '\0' && *++at != '%')
            (void)fputc('*', out);
        else
            (void)fprintf(out, "%s%c", strchr("*?[]\\", *at) ? "\\" : "", *at);
    }
    (void)fputc('*', out); // .PID behind a name that another process of the run has taken
    if (fclose(out) != 0)
        cli_no_memory();
    return text;
}

static void find_at_home(const struct run *run, struct found *found)
{
    char *pattern = glob_pattern(run->options.output);
    glob_t matches;
    if (glob(pattern, 0, NULL, &matches) == 0) {
        for (size_t i = 0; i < matches.gl_pathc; i++) {
            struct trace_header header;
            if (!read_header(run, matches.gl_pathv[i], &header))
                continue;
            char *path = strdup(matches.gl_pathv[i]);
            if (!path)
                cli_no_memory();
            add_found(run, found, path, &header);
        }
        globfree(&matches);
    }
    free(pattern);
}

static void watch_new_trace(const struct run *run, struct watch *watch, const char *path)
{
    struct trace_header header;
    if (!watch_knows(watch, path) && read_header(run, path, &header))
        watch_add(watch, path, 0);
}

void run_traces_watch(const struct run *run, struct watch *watch)
{
    char *pattern = glob_pattern(run->options.output);
    glob_t matches;
    if (glob(pattern, GLOB_NOSORT, NULL, &matches) == 0) {
        for (size_t i = 0; i < matches.gl_pathc; i++)
            watch_new_trace(run, watch, matches.gl_pathv[i]);
        globfree(&matches);
    }
    free(pattern);
    DIR *folder = run->fallback ? opendir(run->fallback) : NULL;
    const struct dirent *entry = NULL;
    while (folder && (entry = readdir(folder))) {
        char *path = NULL;
        if (asprintf(&path, "%s/%s", run->fallback, entry->d_name) < 0)
            cli_no_memory();
        watch_new_trace(run, watch, path);
        free(path);
    }
    if (folder)
        (void)closedir(folder);
}

// Copies a trace of an ended process. Result: 0 or -errno; nothing is left behind then.
static int copy(const char *from, const char *to)
{
    int in = open(from, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    int out = open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    int error = in < 0 || out < 0 ? -errno : 0;
    char block[1 << 16];
    ssize_t got = 0;
    while (!error && (got = read(in, block, sizeof block)) > 0) {
        for (ssize_t done = 0; !error && done < got;) {
            ssize_t put = write(out, block + done, (size_t)(got - done));
            error = put < 0 && errno != EINTR ? -errno : 0;
            done += put > 0 ? put : 0;
        }
    }
    if (!error && got < 0)
        error = -errno;
    if (in >= 0)
        (void)close(in);
    if (out >= 0 && close(out) != 0 && !error)
        error = -errno;
    if (out >= 0 && error)
        (void)unlink(to);
    return error;
}

// Moves the trace of an ended process to where the run's traces belong, if that is possible.
static void bring_home(const struct run *run, struct found *found, char *path,
                       const struct trace_header *header)
{
    (void)found;
    const char *output = run->options.output;
    char *home = NULL;
    int folder = (int)(strrchr(output, '/') - output);
    // A process that still runs opens its trace again by its path. And a folder with a % in it
    // differs from process to process.
    bool stays = (header->ended == TRACE_ENDED_UNKNOWN && is_running(header)) ||
                 memchr(output, '%', (size_t)folder);
    if (!stays && asprintf(&home, "%.*s%s", folder, output, strrchr(path, '/')) < 0)
        cli_no_memory();
    int error = 0;
    if (home && renameat2(AT_FDCWD, path, AT_FDCWD, home, RENAME_NOREPLACE) != 0)
        error = errno == EXDEV || errno == EINVAL ? copy(path, home) : -errno;
    if (error)
        cli_message("cannot move %s to %s: %s; it stays there", path, home, strerror(-error));
    else if (home)
        (void)unlink(path); // there if it was copied
    free(home);
    free(path);
}

// Calls `visit` for each trace of this run in the fallback folder; it takes over the path.
static void each_in_fallback(const struct run *run, struct found *found,
                             void (*visit)(const struct run *run, struct found *found, char *path,
                                           const struct trace_header *header))
{
    DIR *folder = run->fallback ? opendir(run->fallback) : NULL;
    const struct dirent *entry = NULL;
    while (folder && (entry = readdir(folder))) {
        struct trace_header header;
        char *path = NULL;
        if (asprintf(&path, "%s/%s", run->fallback, entry->d_name) < 0)
            cli_no_memory();
        if (read_header(run, path, &header))
            visit(run, found, path, &header);
        else
            free(path);
    }
    if (folder)
        (void)closedir(folder);
}

// Fills in what a process cannot write down itself: the signal that killed it.
static void complete_header(const char *path, int status)
{
    struct trace_header header;
    int fd = open(path, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return;
    if (pread(fd, &header, sizeof header, 0) == sizeof header &&
        header.ended == TRACE_ENDED_UNKNOWN) {
        header.end_ns = clock_now(CLOCK_MONOTONIC);
        header.ended = WIFSIGNALED(status) ? TRACE_ENDED_SIGNAL : TRACE_ENDED_EXIT;
        header.end_status = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
        size_t from = offsetof(struct trace_header, end_ns);
        size_t to = offsetof(struct trace_header, threshold_ns);
        (void)!pwrite(fd, (char *)&header + from, to - from, (off_t)from);
    }
    (void)close(fd);
}

static int compare_paths(const void *left, const void *right)
{
    return strcmp(*(char *const *)left, *(char *const *)right);
}

char **run_traces_find(const struct run *run, size_t *count)
{
    struct found found = {0};
    each_in_fallback(run, &found, bring_home);
    find_at_home(run, &found);
    each_in_fallback(run, &found, add_found);
    if (found.own)
        complete_header(found.own, run->status);
    if (found.count > 0)
        qsort(found.paths, found.count, sizeof *found.paths, compare_paths);
    *count = found.count;
    return found.paths;
}

void run_traces_free(char **paths, size_t count)
{
    for (size_t i = 0; i < count; i++)
        free(paths[i]);
    free(paths);
}
