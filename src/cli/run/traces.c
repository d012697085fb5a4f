// The traces of a run, once the command has ended: found by the run's id, completed, brought home.
//
// Reads headers only; src/report reads the rest.
#include "cli/cli.h"
#include "cli/run/run.h"

#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/output_name.h"
#include "trace/proc.h"

struct found {
    const struct run *run;
    char **paths;
    size_t count;
    char *own; // of `paths`: the command's own, last one
    uint64_t own_start_ns;
};

int run_trace_open(const struct run *run, int folder, const char *name, int flags,
                   struct trace_header *header)
{
    const char *pattern = strrchr(run->table.options.output, '/') + 1;
    const char *base = strrchr(name, '/');
    struct stat status;
    int fd = openat(folder, name, flags | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return -errno;
    if (fstat(fd, &status) == 0 && S_ISREG(status.st_mode) && status.st_nlink == 1 &&
        pread(fd, header, sizeof *header, 0) == sizeof *header &&
        memcmp(header->magic, TRACE_MAGIC, sizeof header->magic) == 0 &&
        header->version == TRACE_VERSION && header->byte_order == TRACE_BYTE_ORDER &&
        header->run_id == run->run_id &&
        (status.st_uid == header->uid || status.st_uid == geteuid()) &&
        output_name_fits(pattern, header->pid, base ? base + 1 : name))
        return fd;
    (void)close(fd);
    return -EBADMSG;
}

// Whether the process that wrote the trace is still there, and still the same one.
bool run_trace_is_running(const struct trace_header *header)
{
    char path[64];
    struct proc_stat stat;
    (void)snprintf(path, sizeof path, "/proc/%u/stat", header->pid);
    return proc_stat_read(path, &stat) && !proc_has_ended(&stat) &&
           stat.start_ticks == header->process_start_ticks;
}

static void add_found(void *data, const char *path, const struct trace_header *header)
{
    struct found *found = data;
    char *copy = strdup(path);
    found->paths = reallocarray(found->paths, found->count + 1, sizeof *found->paths);
    if (!found->paths || !copy)
        cli_no_memory();
    found->paths[found->count++] = copy;
    if (header->pid == (uint32_t)found->run->pid && header->start_ns >= found->own_start_ns) {
        found->own = copy;
        found->own_start_ns = header->start_ns;
    }
    if (header->ended == TRACE_ENDED_UNKNOWN && run_trace_is_running(header))
        cli_message("process %u of this run is still running; for its sessions, run 'unclosed "
                    "report %s' later",
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
    char *pattern = glob_pattern(run->table.options.output);
    glob_t matches;
    if (glob(pattern, 0, NULL, &matches) == 0) {
        for (size_t i = 0; i < matches.gl_pathc; i++) {
            struct trace_header header = {0};
            int fd = run_trace_open(run, AT_FDCWD, matches.gl_pathv[i], O_RDONLY, &header);
            if (fd < 0)
                continue;
            (void)close(fd);
            add_found(found, matches.gl_pathv[i], &header);
        }
        globfree(&matches);
    }
    free(pattern);
}

static void watch_in_fallback(void *data, const char *path, const struct trace_header *header)
{
    struct watch *watch = data;
    (void)header;
    if (!watch_knows(watch, path))
        watch_add(watch, path, 0);
}

void run_traces_watch(const struct run *run, struct watch *watch)
{
    char *pattern = glob_pattern(run->table.options.output);
    glob_t matches;
    if (glob(pattern, GLOB_NOSORT, NULL, &matches) == 0) {
        for (size_t i = 0; i < matches.gl_pathc; i++) {
            struct trace_header header = {0};
            int fd = watch_knows(watch, matches.gl_pathv[i])
                         ? -1
                         : run_trace_open(run, AT_FDCWD, matches.gl_pathv[i], O_RDONLY, &header);
            if (fd < 0)
                continue;
            (void)close(fd);
            watch_add(watch, matches.gl_pathv[i], 0);
        }
        globfree(&matches);
    }
    free(pattern);
    run_each_in_fallback(run, watch_in_fallback, watch);
}

// Fills in what a process cannot write down itself: the signal that killed it.
static void complete_header(const struct run *run, const char *path)
{
    struct trace_header header = {0};
    int status = run->status;
    int fd = run_trace_open(run, AT_FDCWD, path, O_RDWR, &header);
    if (fd < 0)
        return;
    if (header.ended == TRACE_ENDED_UNKNOWN) {
        if (header.end_ns == 0) // else it was seen to end
            header.end_ns = run->end_ns;
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

char **run_traces_find(struct run *run, size_t *count)
{
    struct found found = {.run = run};
    run_bring_home(run);
    find_at_home(run, &found);
    run_each_in_fallback(run, add_found, &found);
    if (found.own)
        complete_header(run, found.own);
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
