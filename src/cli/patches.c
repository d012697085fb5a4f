// See patches.h. Sources: proc(5) on maps, map_files and root; ld.so(8) on --list.
#include "cli/patches.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/loader.h"
#include "shared/specs.h"

#ifdef PATCH_SUPPORTED

#include "patch/plan.h"
#include "shared/trace_words.h"

enum { NAMES_SHOWN = 5 };

struct patches {
    struct spec specs[SPECS_CAPACITY];
    struct plan *plan;
};

static struct patches *begin(const char *pools, enum plan_mode mode)
{
    struct specs_error error;
    struct patches *patches = calloc(1, sizeof *patches);
    char *text = malloc(SPECS_TEXT_BYTES);
    if (!patches || !text)
        cli_no_memory();
    const int count =
        specs_load(pools, patches->specs, SPECS_CAPACITY, text, SPECS_TEXT_BYTES, &error);
    free(text);
    patches->plan = plan_new(patches->specs, count, mode);
    return patches;
}

// The loader of the ELF file at `path`; false: it has none, or is no ELF file.
static bool read_loader(const char *path, char loader[PATH_MAX])
{
    Elf64_Ehdr header;
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
    if (fd < 0)
        return false;
    const bool found = pread(fd, &header, sizeof header, 0) == sizeof header &&
                       memcmp(header.e_ident, ELFMAG, SELFMAG) == 0 &&
                       loader_of(fd, &header, loader, PATH_MAX) == 1;
    (void)close(fd);
    return found;
}

// Starts the loader, which prints the libraries of `program` and does not run it.
static FILE *list_libraries(const char *program, pid_t *pid)
{
    char loader[PATH_MAX];
    int ends[2];
    posix_spawn_file_actions_t actions;
    if (!read_loader(program, loader) || !strstr(loader, "/ld-linux") || pipe2(ends, O_CLOEXEC))
        return NULL;
    char *const arguments[] = {loader, (char[]){"--list"}, (char *)(uintptr_t)program, NULL};
    (void)posix_spawn_file_actions_init(&actions);
    (void)posix_spawn_file_actions_adddup2(&actions, ends[1], STDOUT_FILENO);
    (void)posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    const int error = posix_spawn(pid, loader, &actions, NULL, arguments, environ);
    (void)posix_spawn_file_actions_destroy(&actions);
    (void)close(ends[1]);
    FILE *lines = error ? NULL : fdopen(ends[0], "r");
    if (!lines)
        (void)close(ends[0]);
    return lines;
}

static void add_libraries(struct patches *patches, const char *program)
{
    char *line = NULL;
    size_t room = 0;
    pid_t pid = 0;
    FILE *lines = list_libraries(program, &pid);
    while (lines && getline(&line, &room, lines) > 0) {
        char *path = strchr(line, '/'); // "\tlibz.so.1 => /lib/libz.so.1 (0x00007f...)"
        char *end = path ? strstr(path, " (0x") : NULL;
        if (!end)
            continue;
        *end = '\0';
        (void)plan_add_file(patches->plan, path, path, PLAN_HIDDEN);
    }
    free(line);
    if (!lines)
        return;
    (void)fclose(lines);
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
}

struct patches *patches_of_command(const char *program, const char *const *files, size_t count,
                                   const char *pools)
{
    struct patches *patches = begin(pools, PLAN_FOR_START);
    if (program) {
        (void)plan_add_file(patches->plan, program, program, PLAN_EVERYTHING);
        add_libraries(patches, program);
    }
    for (size_t i = 0; i < count; i++)
        (void)plan_add_file(patches->plan, files[i], files[i], PLAN_EVERYTHING);
    return patches;
}

// A file that the process has mapped as code: by its mapping, which also finds deleted files but
// takes privileges, or else by its path as the process sees it.
static void add_mapping(struct patches *patches, pid_t pid, const char *range, const char *path,
                        enum plan_scope scope)
{
    char link[PATH_MAX + 64];
    (void)snprintf(link, sizeof link, "/proc/%d/map_files/%s", pid, range);
    if (access(link, R_OK) != 0)
        (void)snprintf(link, sizeof link, "/proc/%d/root%s", pid, path);
    (void)plan_add_file(patches->plan, link, path, scope);
}

struct patches *patches_of_process(pid_t pid, const char *pools, bool wanted)
{
    struct patches *patches = begin(pools, wanted ? PLAN_FOR_ATTACH : PLAN_TO_TELL);
    char name[64], executable[PATH_MAX] = "", last[PATH_MAX] = "";
    char *line = NULL;
    size_t room = 0;
    (void)snprintf(name, sizeof name, "/proc/%d/exe", pid);
    const ssize_t length = readlink(name, executable, sizeof executable - 1);
    executable[length > 0 ? length : 0] = '\0';
    if (length > 0)
        (void)plan_add_file(patches->plan, name, executable, PLAN_EVERYTHING);
    (void)snprintf(name, sizeof name, "/proc/%d/maps", pid);
    FILE *maps = fopen(name, "re");
    while (maps && getline(&line, &room, maps) > 0) {
        char range[40], rights[8];
        char *path = strchr(line, '/');
        if (!path || sscanf(line, "%39s %7s", range, rights) != 2 || rights[2] != 'x')
            continue;
        path[strcspn(path, "\n")] = '\0';
        if (strcmp(path, executable) == 0 || strcmp(path, last) == 0 || strlen(path) >= PATH_MAX)
            continue;
        strcpy(last, path);
        add_mapping(patches, pid, range, path, PLAN_HIDDEN);
    }
    if (maps)
        (void)fclose(maps);
    free(line);
    return patches;
}

const char *patches_text(struct patches *patches)
{
    return plan_text(patches->plan);
}

char *patches_names(const struct patches *patches, const char **file)
{
    char *names = NULL;
    size_t bytes = 0;
    unsigned count = 0;
    FILE *out = open_memstream(&names, &bytes);
    if (!out)
        cli_no_memory();
    *file = NULL;
    for (size_t i = 0; i < plan_finding_count(patches->plan); i++) {
        const struct plan_finding *finding = plan_finding(patches->plan, i);
        if ((finding->outcome != TRACE_PATCH_DONE && finding->outcome != TRACE_PATCH_COPIES) ||
            finding->spec->verb == TRACE_USE)
            continue;
        if (count++ < NAMES_SHOWN)
            (void)fprintf(out, "%s%s", *file ? ", " : "", finding->name);
        if (!*file)
            *file = finding->file;
    }
    if (count > NAMES_SHOWN)
        (void)fprintf(out, " and %u more", count - NAMES_SHOWN);
    if (fclose(out) != 0)
        cli_no_memory();
    if (*file)
        return names;
    free(names);
    return NULL;
}

static bool is_same_file(const char *one, const char *other)
{
    struct stat a, b;
    return strcmp(one, other) == 0 || (stat(one, &a) == 0 && stat(other, &b) == 0 &&
                                       a.st_dev == b.st_dev && a.st_ino == b.st_ino);
}

static const struct plan_finding *find(const struct patches *patches, const char *file,
                                       const char *name)
{
    for (size_t i = 0; i < plan_finding_count(patches->plan); i++) {
        const struct plan_finding *finding = plan_finding(patches->plan, i);
        if (strcmp(finding->name, name) == 0 && is_same_file(finding->file, file))
            return finding;
    }
    return NULL;
}

bool patches_has(const struct patches *patches, const char *file, const char *name)
{
    const struct plan_finding *finding = find(patches, file, name);
    return finding &&
           (finding->outcome == TRACE_PATCH_DONE || finding->outcome == TRACE_PATCH_COPIES);
}

const char *patches_reason(const struct patches *patches, const char *file, const char *name)
{
    const struct plan_finding *finding = find(patches, file, name);
    return finding ? trace_words_patch(finding->outcome) : NULL;
}

void patches_free(struct patches *patches)
{
    plan_free(patches->plan);
    free(patches);
}

#else // nothing is patched on this processor

struct patches {
    char unused;
};

static struct patches nothing;

struct patches *patches_of_command(const char *program, const char *const *files, size_t count,
                                   const char *pools)
{
    (void)program, (void)files, (void)count, (void)pools;
    return &nothing;
}

struct patches *patches_of_process(pid_t pid, const char *pools, bool wanted)
{
    (void)pid, (void)pools, (void)wanted;
    return &nothing;
}

const char *patches_text(struct patches *patches)
{
    (void)patches;
    return "";
}

char *patches_names(const struct patches *patches, const char **file)
{
    (void)patches;
    *file = NULL;
    return NULL;
}

bool patches_has(const struct patches *patches, const char *file, const char *name)
{
    (void)patches, (void)file, (void)name;
    return false;
}

const char *patches_reason(const struct patches *patches, const char *file, const char *name)
{
    (void)patches, (void)file, (void)name;
    return NULL;
}

void patches_free(struct patches *patches)
{
    (void)patches;
}

#endif
