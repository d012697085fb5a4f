// Where the traces of a run go: checked before the command starts, so that nobody waits an hour for
// a report that could never be written.
#include "cli/cli.h"
#include "cli/run/run.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "shared/line_out.h"
#include "shared/output_name.h"
#include "trace/trace_replace.h"

// `path` in front of which the current folder is put, if it is relative. Result: 0, -ENAMETOOLONG,
// or what getcwd says: the folder may have been removed.
// pattern: percent signs in the folder's name are doubled.
static int make_absolute(char *path, size_t bytes, bool pattern)
{
    if (path[0] == '/')
        return 0;
    char *folder = getcwd(NULL, 0);
    if (!folder)
        return -errno;
    char *absolute = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&absolute, &length);
    if (!out)
        cli_no_memory();
    for (const char *at = folder; *at; at++)
        (void)fprintf(out, "%s%c", pattern && *at == '%' ? "%" : "", *at);
    (void)fprintf(out, "/%s", path);
    if (fclose(out) != 0)
        cli_no_memory();
    bool fits = length < bytes;
    if (fits)
        memcpy(path, absolute, length + 1);
    free(absolute);
    free(folder);
    return fits ? 0 : -ENAMETOOLONG;
}

// The path that the command itself would get, but for its pid.
static int expected_path(const struct run *run, char *path, size_t bytes)
{
    char host[HOST_NAME_MAX + 1] = "";
    (void)gethostname(host, sizeof host - 1);
    const struct output_names names = {.pid = (uint32_t)getpid(),
                                       .executable = run->command[0],
                                       .seconds = (uint64_t)time(NULL),
                                       .host = host};
    return output_name(run->table.options.output, &names, false, path, bytes);
}

// Whether a file of exactly this name may be in the way.
static bool is_fixed(const char *pattern)
{
    for (const char *at = pattern; (at = strchr(at, '%')); at += 2) {
        if (at[1] == 'p' || at[1] == 't' || at[1] == 'e')
            return false;
    }
    return true;
}

// Whether a trace of this name can be made: nothing is there, or what is there may be replaced.
static bool check_fixed(const struct run *run, const char *path)
{
    const char *given = run->table.options.output;
    struct stat status;
    if (lstat(path, &status) != 0)
        return true;
    if (!run->table.options.force)
        cli_message("--output '%s' exists; choose another name, or replace it with -f if it is an "
                    "old trace",
                    given);
    else if (trace_may_replace(path, 0, run->run_id) == -EEXIST)
        cli_message("--output '%s' exists and is no trace of yours that is complete; -f replaces "
                    "nothing else, choose another name",
                    given);
    else
        return true;
    return false;
}

static bool check_pattern(const struct run *run, char *path, size_t bytes)
{
    const char *given = run->table.options.output;
    int error = expected_path(run, path, bytes);
    struct stat status;
    if (error == -EINVAL)
        cli_message("--output '%s': only %%p, %%e, %%t, %%h and %%%% are known", given);
    else if (error)
        cli_message("--output '%s': the path is too long", given);
    else if (path[strlen(path) - 1] == '/' || (stat(path, &status) == 0 && S_ISDIR(status.st_mode)))
        cli_message("--output '%s' is a folder; name a file in it, such as %s/%%e.%%p.trace", given,
                    given);
    else
        return !is_fixed(given) || check_fixed(run, path);
    return false;
}

// What keeps messages from being written to the file `path`, or NULL. It is not created.
static const char *log_fault(const char *path)
{
    int fd = line_out_open(path, false);
    if (fd >= 0)
        (void)close(fd);
    switch (fd) {
    case -ENXIO:
        return "nobody reads this FIFO";
    case -ELOOP:
        return "it is a symbolic link";
    case -EINVAL:
        return "it is no file, pipe or terminal";
    default:
        return fd < 0 && fd != -ENOENT ? strerror(-fd) : NULL;
    }
}

bool run_check_log(const char *path)
{
    const char *fault = path[0] ? log_fault(path) : NULL;
    if (fault)
        cli_message("--log '%s': %s; name another file", path, fault);
    return !fault;
}

static void leave_untraced(struct run *run, const char *folder, int error)
{
    cli_message("cannot write traces to %s: %s; choose another folder with -o. The command runs "
                "untraced",
                folder, strerror(error));
    run->traced = false;
    run->reason = "the folder for traces is not writable";
}

bool run_prepare_output(struct run *run)
{
    char path[PATH_MAX];
    int error = make_absolute(run->table.options.output, sizeof run->table.options.output, true);
    if (!error && run->table.options.log[0])
        error = make_absolute(run->table.options.log, sizeof run->table.options.log, false);
    if (error == -ENAMETOOLONG) {
        cli_message("the path of the current folder is too long; give absolute paths with --output "
                    "and --log");
        return false;
    }
    if (error) {
        leave_untraced(run, "the current folder", -error);
        return true;
    }
    if (!check_pattern(run, path, sizeof path) || !run_check_log(run->table.options.log))
        return false;
    *strrchr(path, '/') = '\0';
    const char *folder = path[0] ? path : "/";
    if (access(folder, W_OK | X_OK) != 0) {
        leave_untraced(run, folder, errno);
        return true;
    }
    return true;
}
