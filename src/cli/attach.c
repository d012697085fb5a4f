// `unclosed attach PID`: has a live process record from now on; with --duration stays in the
// foreground and ends the recording after that time, or at Ctrl-C.
#include <argp.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "attach/attach.h"
#include "attach/process.h"
#include "cli/cli.h"
#include "cli/live.h"
#include "cli/patches.h"
#include "cli/run/run.h"
#include "cli/table.h"
#include "cli/watch.h"
#include "shared/output_name.h"

enum { KEY_DURATION = 'd' + 0x100, KEY_PATCH };

struct arguments {
    struct table table;
    pid_t pid;
    uint64_t duration_ns; // 0: leave at once
    bool patch;
};

static error_t parse_attach_option(int key, char *value, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &arguments->table;
        return 0;
    case KEY_DURATION:
        if (!option_duration(value, &arguments->duration_ns) || arguments->duration_ns == 0)
            exit(cli_fail("--duration '%s': expected a time such as 60s, 500ms, 2m", value));
        return 0;
    case KEY_PATCH:
        arguments->patch = true;
        return 0;
    case ARGP_KEY_ARG:
        if (arguments->pid != 0)
            exit(cli_fail("only one process can be given, not '%s' as well", value));
        arguments->pid = live_pid(value);
        return 0;
    case ARGP_KEY_NO_ARGS:
        exit(cli_fail("no process given; `pgrep -l NAME` lists the process IDs of a program"));
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static void parse_command_line(struct arguments *arguments, int argc, char **argv)
{
    static const struct argp_option options[] = {
        {.name = "duration",
         .key = KEY_DURATION,
         .arg = "TIME",
         .doc = "Stay in the foreground for TIME or until Ctrl-C, then detach"},
        {.name = "patch",
         .key = KEY_PATCH,
         .doc = "Also trace calls inside the program: patch its functions in memory, with all "
                "threads stopped for a moment"},
        {0}};
    static const struct argp_child children[] = {{.argp = &table_argp}, {0}};
    const struct argp argp = {
        .options = options,
        .children = children,
        .parser = parse_attach_option,
        .args_doc = "PID",
        .doc =
            "Records, from now on, which database sessions the running process PID opens or checks "
            "out and never gives back.\vWithout --duration it returns at once and leaves the "
            "recorder in the process, until `unclosed detach PID`. Nothing is installed where the "
            "process runs; one of its threads is paused for about a millisecond."};
    table_init(&arguments->table, argc);
    cli_parse(&argp, argc, argv, 0, arguments);
}

// A text made as by printf, never NULL.
static char *text(const char *format, ...) __attribute__((format(printf, 1, 2)));
static char *text(const char *format, ...)
{
    char *made = NULL;
    va_list arguments;
    va_start(arguments, format);
    const int length = vasprintf(&made, format, arguments);
    va_end(arguments);
    if (length < 0)
        cli_no_memory();
    return made;
}

// `path` behind this program's working folder, if it is relative. With `pattern`, percent signs in
// the folder's name are doubled.
static char *absolute(const char *path, bool pattern)
{
    char *made = NULL;
    size_t length = 0;
    if (path[0] == '/')
        return text("%s", path);
    char *folder = getcwd(NULL, 0);
    FILE *out = folder ? open_memstream(&made, &length) : NULL;
    if (!out)
        exit(cli_fail("cannot determine the current folder: %s", strerror(errno)));
    for (const char *at = folder; *at; at++)
        (void)fprintf(out, "%s%c", pattern && *at == '%' ? "%" : "", *at);
    (void)fprintf(out, "/%s", path);
    if (fclose(out) != 0)
        cli_no_memory();
    free(folder);
    return made;
}

static void refuse_folder(const char *output)
{
    struct stat status;
    if (stat(output, &status) == 0 && S_ISDIR(status.st_mode))
        exit(cli_fail("--output '%s' is a folder; name a file in it, such as '%s/%%e.%%p.trace'",
                      output, output));
}

// The path that `pattern` stands for in the case of process `pid`.
static char *trace_of(const char *pattern, pid_t pid)
{
    char link[64];
    char executable[PATH_MAX] = "";
    char host[HOST_NAME_MAX + 1] = "";
    static char path[PATH_MAX];
    (void)gethostname(host, sizeof host - 1);
    (void)snprintf(link, sizeof link, "/proc/%d/exe", pid);
    const ssize_t length = readlink(link, executable, sizeof executable - 1);
    executable[length > 0 ? length : 0] = '\0';
    char *deleted = strstr(executable, " (deleted)"); // the kernel's note on a removed file
    if (deleted)
        *deleted = '\0';
    const struct output_names names = {.pid = (uint32_t)pid,
                                       .executable = executable,
                                       .seconds = (uint64_t)time(NULL),
                                       .host = host};
    const int error = output_name(pattern, &names, false, path, sizeof path);
    if (error == -EINVAL)
        exit(cli_fail("--output '%s': only %%p, %%e, %%t, %%h and %%%% are known", pattern));
    if (error != 0)
        exit(cli_fail("--output '%s': the path is too long", pattern));
    return path;
}

// The options for the recorder: NAME=value texts with a NUL behind each, one more at the end.
// Their whole length goes to *bytes.
static char *recorder_options(struct table *table, const char *pools, const char *patches,
                              size_t *bytes)
{
    char *made = NULL;
    FILE *out = open_memstream(&made, bytes);
    if (!out)
        cli_no_memory();
    for (size_t i = 0; i < option_count; i++) {
        const struct option_entry *entry = &option_table[i];
        const bool is_output = entry->offset == offsetof(struct options, output);
        if (!table->value[i] || is_output)
            continue;
        const bool is_path = entry->kind == OPTION_PATH;
        char *value = is_path ? absolute(table->value[i], false) : text("%s", table->value[i]);
        (void)fprintf(out, "%s=%s%c", entry->variable, value, 0);
        free(value);
    }
    if (*pools)
        (void)fprintf(out, "UNCLOSED_POOLS=%s%c", pools, 0);
    if (*patches)
        (void)fprintf(out, "UNCLOSED_PATCHES=%s%c", patches, 0);
    (void)fputc(0, out);
    if (fclose(out) != 0)
        cli_no_memory();
    return made;
}

// The recorder need not look itself for sessions held too long: we do.
static void set_watched(struct table *table)
{
    for (size_t i = 0; i < option_count; i++) {
        if (option_table[i].offset != offsetof(struct options, watched))
            continue;
        free(table->value[i]);
        table->value[i] = text("yes");
    }
}

// What became of the functions inside the program.
static void print_patches(const struct arguments *arguments, const struct patches *patches,
                          const struct patching_result *result)
{
    const char *file = NULL;
    char *names = patches_names(patches, &file);
    if (arguments->patch && result->failure.error != 0)
        cli_message("%s", result->failure.text);
    else if (arguments->patch && names && result->left > 0)
        cli_message("%u function%s inside %s could not be patched: a thread was always executing "
                    "the first bytes",
                    (unsigned)result->left, result->left == 1 ? "" : "s", file);
    if (arguments->patch && result->written > 0)
        printf("  patched               %u function%s, all threads paused for %.1f ms\n",
               (unsigned)result->written, result->written == 1 ? "" : "s",
               (double)result->pause_ns / 1e6);
    if (!arguments->patch && names)
        printf(
            "  not traced            calls of %s inside %s;\n"
            "                        to trace them: unclosed detach %d, then attach --patch %d\n",
            names, file, arguments->pid, arguments->pid);
    free(names);
}

// wanted: where the trace was to be.
static void print_start(const struct arguments *arguments, const struct patches *patches,
                        const struct attach_report *report, const char *wanted)
{
    const pid_t pid = arguments->pid;
    const uint64_t duration_ns = arguments->duration_ns;
    printf("recording process %d (paused for %.1f ms)\n", pid, (double)report->pause_ns / 1e6);
    print_patches(arguments, patches, &report->patching);
    printf("  trace                 %s\n", cli_shown(report->trace));
    if (strcmp(report->trace, wanted) != 0)
        printf("                        (%s exists and was left alone)\n", cli_shown(wanted));
    printf("  who holds what now    unclosed held %d\n", pid);
    printf("  the same, live        unclosed top %d\n", pid);
    if (duration_ns != 0)
        printf("  recording stops after %.1f s, or at Ctrl-C\n", (double)duration_ns / 1e9);
    else
        printf("  stop recording        unclosed detach %d\n", pid);
    (void)fflush(stdout);
}

// Waits for the end of the time, a signal, or the end of the process; watches the trace meanwhile
// if `watch` is not NULL. Result: whether the process still runs.
static bool wait_for_end(pid_t pid, uint64_t duration_ns, const sigset_t *signals,
                         struct watch *watch)
{
    const uint64_t deadline = process_now() + duration_ns;
    struct pollfd ends[2] = {{.fd = signalfd(-1, signals, SFD_CLOEXEC), .events = POLLIN},
                             {.fd = (int)syscall(SYS_pidfd_open, pid, 0), .events = POLLIN}};
    bool runs = true;
    for (;;) {
        const uint64_t pause = watch ? watch_look(watch) : UINT64_MAX;
        const uint64_t now = process_now();
        uint64_t left = now < deadline ? deadline - now : 0;
        if (left > pause)
            left = pause;
        const uint64_t left_ms = (left + 999999) / 1000000;
        const int count = poll(ends, 2, left_ms > INT_MAX ? INT_MAX : (int)left_ms);
        if (count < 0 && errno == EINTR)
            continue;
        runs = ends[1].fd >= 0 && (ends[1].revents & POLLIN) == 0;
        if (count != 0 || process_now() >= deadline)
            break;
    }
    close(ends[0].fd);
    if (ends[1].fd >= 0)
        close(ends[1].fd);
    return runs;
}

// Result: exit status.
static int stay(const struct arguments *arguments, const sigset_t *signals, const char *trace)
{
    const pid_t pid = arguments->pid;
    const struct options *options = &arguments->table.options;
    struct attach_report report;
    struct failure failure;
    struct watch *watch = NULL;
    if (options->threshold_ns > 0) {
        char *log = options->log[0] ? absolute(options->log, false) : text("%s", "");
        watch = watch_new(options->threshold_ns, log);
        watch_add(watch, trace, pid);
        free(log);
    }
    const bool runs = wait_for_end(pid, arguments->duration_ns, signals, watch);
    watch_end(watch);
    if (!runs)
        printf("process %d has ended\n", pid);
    else if (attach_stop(pid, &report, &failure) != 0)
        return cli_fail("%s", failure.text);
    else
        live_say_detached(pid, &report);
    printf("  what it never closed  unclosed report '%s'\n", cli_shown(trace));
    return 0;
}

int command_attach(int argc, char **argv)
{
    static struct arguments arguments; // large, and kept to the end
    struct attach_report report;
    struct failure failure;
    sigset_t signals;
    parse_command_line(&arguments, argc, argv);
    size_t bytes = 0;
    char *library = cli_library_path();
    if (!library)
        return CLI_FAILURE;
    char *pools = run_pools_text(arguments.table.pools, arguments.table.pool_count);
    if (!pools)
        return CLI_FAILURE; // a message was printed
    struct patches *patches = patches_of_process(arguments.pid, pools, arguments.patch);
    if (arguments.duration_ns != 0 && arguments.table.options.threshold_ns > 0)
        set_watched(&arguments.table);
    char *options = recorder_options(&arguments.table, pools, patches_text(patches), &bytes);
    refuse_folder(arguments.table.options.output);
    if (!run_check_log(arguments.table.options.log))
        return CLI_FAILURE;
    char *pattern = absolute(arguments.table.options.output, true);
    const struct attach_request request = {.library = library,
                                           .options = options,
                                           .options_bytes = bytes,
                                           .pattern = pattern,
                                           .trace = trace_of(pattern, arguments.pid),
                                           .patch = arguments.patch,
                                           .force = arguments.table.options.force};
    sigemptyset(&signals);
    sigaddset(&signals, SIGINT);
    sigaddset(&signals, SIGTERM);
    sigaddset(&signals, SIGHUP);
    if (arguments.duration_ns != 0)
        sigprocmask(SIG_BLOCK, &signals, NULL); // at once a wish to detach
    const int error = attach_start(arguments.pid, &request, &report, &failure);
    free(options);
    free(pattern);
    free(library);
    if (error != 0)
        return cli_fail("%s", failure.text);
    print_start(&arguments, patches, &report, request.trace);
    patches_free(patches);
    free(pools);
    if (arguments.duration_ns != 0)
        return stay(&arguments, &signals, report.trace);
    return 0;
}
