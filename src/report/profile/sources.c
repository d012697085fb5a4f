// Finding trace files: see sources.h.
#include "report/profile/sources.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "trace/trace_format.h"

static void problem(struct trace_sources *sources, const char *message)
{
    *LIST_ADD(sources->arena, &sources->problems) = message;
}

static void add_trace(struct trace_sources *sources, const char *path, pid_t pid)
{
    for (size_t i = 0; i < sources->list.count; i++)
        if (strcmp(sources->list.item[i].path, path) == 0)
            return;
    *LIST_ADD(sources->arena, &sources->list) = (struct trace_source){path, pid};
}

// Whether the file begins like a trace. Its name does not matter: users choose names.
static bool is_trace(const char *path)
{
    char magic[8];
    struct stat status;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
    if (fd < 0)
        return false;
    bool result = fstat(fd, &status) == 0 && S_ISREG(status.st_mode) &&
                  pread(fd, magic, sizeof magic, 0) == (ssize_t)sizeof magic &&
                  memcmp(magic, TRACE_MAGIC, sizeof magic) == 0;
    close(fd);
    return result;
}

static bool is_named_like_trace(const char *path)
{
    static const char suffix[] = ".trace";
    size_t length = strlen(path);
    struct stat status;
    return length > strlen(suffix) && strcmp(path + length - strlen(suffix), suffix) == 0 &&
           stat(path, &status) == 0 && S_ISREG(status.st_mode);
}

static int compare_names(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void add_folder(struct trace_sources *sources, const char *folder, bool quiet)
{
    struct arena *arena = sources->arena;
    DIR *entries = opendir(folder);
    if (!entries) {
        problem(sources,
                arena_format(arena, "%s: the folder cannot be read: %s", folder, strerror(errno)));
        return;
    }
    LIST(const char *) paths = {0};
    const struct dirent *entry;
    while ((entry = readdir(entries))) {
        const char *path = strcmp(folder, ".") == 0
                               ? arena_text(arena, entry->d_name)
                               : arena_format(arena, "%s/%s", folder, entry->d_name);
        // One that only has the name of a trace is worth a message.
        if (is_trace(path) || is_named_like_trace(path))
            *LIST_ADD(arena, &paths) = path;
    }
    closedir(entries);
    LIST_SORT(&paths, compare_names);
    for (size_t i = 0; i < paths.count; i++)
        add_trace(sources, paths.item[i], 0);
    if (paths.count == 0 && !quiet)
        problem(sources,
                arena_format(arena,
                             "%s: no traces in this folder; name a trace, or record one with "
                             "`unclosed run -- COMMAND`",
                             strcmp(folder, ".") == 0 ? "the current folder" : folder));
}

// A path under which the file of a mapping can be opened from here: its own name, that name in the
// root of the process (a container), or the link in map_files (deleted, or out of reach).
static const char *reachable(struct arena *arena, pid_t pid, const char *range, const char *path)
{
    const char *ways[] = {
        arena_format(arena, "/proc/%d/root%s", (int)pid, path),
        arena_format(arena, "/proc/%d/map_files/%s", (int)pid, range),
    };
    struct stat mapped;
    bool known = stat(ways[1], &mapped) == 0;
    struct stat named;
    if (is_trace(path) && (!known || (stat(path, &named) == 0 && named.st_ino == mapped.st_ino)))
        return path;
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++)
        if (is_trace(ways[i]))
            return ways[i];
    return NULL;
}

// Adds the traces that a process has mapped: shared, writable, and beginning like one.
static bool add_mapped(struct trace_sources *sources, pid_t pid, FILE *maps)
{
    struct arena *arena = sources->arena;
    char *line = NULL;
    size_t room = 0;
    bool found = false;
    while (getline(&line, &room, maps) > 0) {
        char range[64];
        char rights[8];
        uint64_t offset;
        int name = 0;
        line[strcspn(line, "\n")] = 0;
        // NOLINTNEXTLINE(cert-err34-c): a number too large is no offset of 0
        if (sscanf(line, "%63s %7s %" SCNx64 " %*s %*s %n", range, rights, &offset, &name) < 3 ||
            name == 0 || offset != 0 || strcmp(rights, "rw-s") != 0 || line[name] != '/')
            continue;
        const char *path = reachable(arena, pid, range, arena_text(arena, line + name));
        if (path)
            add_trace(sources, path, pid);
        found |= path != NULL;
    }
    free(line);
    return found;
}

static void add_process(struct trace_sources *sources, pid_t pid)
{
    struct arena *arena = sources->arena;
    const char *path = arena_format(arena, "/proc/%d/maps", (int)pid);
    FILE *maps = fopen(path, "re");
    if (!maps && errno == ENOENT) {
        problem(sources, arena_format(arena,
                                      "%d: no such process or file; if the process left a trace, "
                                      "it is called unclosed.*.%d.trace",
                                      (int)pid, (int)pid));
        return;
    }
    errno = 0;
    bool found = maps && add_mapped(sources, pid, maps);
    int error = errno;
    if (maps)
        fclose(maps);
    if (found)
        return;
    if (!maps || error == EACCES || error == EPERM)
        problem(sources, arena_format(arena,
                                      "%d: its memory map cannot be read; run this as the user "
                                      "who owns the process, or as root",
                                      (int)pid));
    else
        problem(sources, arena_format(arena,
                                      "%d: this process has no trace: it is not traced, or has not "
                                      "opened a session yet; trace it with `unclosed attach %d` "
                                      "or start it with `unclosed run`",
                                      (int)pid, (int)pid));
}

void trace_sources_add(struct trace_sources *sources, const char *name, bool quiet)
{
    struct arena *arena = sources->arena;
    struct stat status;
    if (stat(name, &status) == 0) {
        if (S_ISDIR(status.st_mode))
            add_folder(sources, name, quiet);
        else
            add_trace(sources, arena_text(arena, name), 0);
        return;
    }
    int error = errno;
    char *end;
    long pid = strtol(name, &end, 10);
    if (name[0] >= '0' && name[0] <= '9' && *end == 0 && pid > 0 && pid <= INT32_MAX)
        add_process(sources, (pid_t)pid);
    else
        problem(sources,
                arena_format(arena,
                             "%s: %s; give a trace file, a folder with traces, or a process ID",
                             name, strerror(error)));
}
