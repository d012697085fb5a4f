// Starting the command with the recorder in it, and being invisible while it runs.
//
// The command gets the signal mask and dispositions that `unclosed` got, and no descriptor of ours.
// While it runs, signals of the terminal reach it by themselves, for it is in our process group;
// those that somebody sends to us are passed on.
#include "cli/cli.h"
#include "cli/patches.h"
#include "cli/run/ends.h"
#include "cli/run/run.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "trace/clock.h"

struct waiting { // what is different while we wait
    sigset_t handled;
    sigset_t old_mask;
    struct sigaction old_child;
};

struct helpers {         // what we do meanwhile
    int signals;         // signalfd of those handled
    struct ends *ends;   // or NULL
    struct watch *watch; // or NULL
};

static void set(const char *name, const char *value)
{
    if (setenv(name, value, 1) != 0)
        cli_no_memory();
}

static bool is_recorder(const char *entry, size_t bytes)
{
    static const char name[] = "libunclosed.so";
    const size_t length = sizeof name - 1;
    return bytes >= length && memcmp(entry + bytes - length, name, length) == 0 &&
           (bytes == length || entry[bytes - length - 1] == '/');
}

// Puts the recorder in front of what is preloaded already. It is not to be there twice, under
// another name either: `unclosed run` inside of `unclosed run`, or a copy that all users can read.
static void set_preload(const char *library)
{
    const char *others = getenv("LD_PRELOAD");
    const size_t room = strlen(library) + (others ? strlen(others) : 0) + 2;
    char *value = malloc(room);
    if (!value)
        cli_no_memory();
    char *end = stpcpy(value, library);
    for (const char *entry = others ? others : ""; *entry;) {
        const size_t bytes = strcspn(entry, ": ");
        if (bytes > 0 && !is_recorder(entry, bytes)) {
            *end++ = ':';
            end = mempcpy(end, entry, bytes);
        }
        entry += bytes + (entry[bytes] != 0);
    }
    *end = 0;
    set("LD_PRELOAD", value);
    free(value);
}

// AddressSanitizer ends programs in front of whose runtime another library was loaded. Only with
// gcc's, which is a shared library, and there the order does no harm: the recorder has no functions
// of the same names. The command may execute such programs, so its own file does not tell.
// The flag and what it is for: asan_flags.inc of LLVM's compiler-rt.
static void allow_sanitizer(void)
{
    static const char flag[] = "verify_asan_link_order";
    const char *given = getenv("ASAN_OPTIONS");
    char *value = NULL;
    if (given && strstr(given, flag))
        return;
    if (asprintf(&value, "%s%s%s=0", given ? given : "", given && *given ? ":" : "", flag) < 0)
        cli_no_memory();
    set("ASAN_OPTIONS", value);
    free(value);
}

// In the child: the options as variables, and who the command is.
static void set_environment(const struct run *run)
{
    char number[24];
    for (size_t i = 0; i < option_count; i++) {
        if (run->table.value[i])
            set(option_table[i].variable, run->table.value[i]);
        else
            (void)unsetenv(option_table[i].variable);
    }
    set("UNCLOSED_OUTPUT", run->table.options.output);
    if (run->table.options.log[0])
        set("UNCLOSED_LOG", run->table.options.log);
    if (run->table.options.pools)
        set("UNCLOSED_POOLS", run->table.options.pools);
    if (run->patches && *patches_text(run->patches))
        set("UNCLOSED_PATCHES", patches_text(run->patches));
    if (run->fallback)
        set("UNCLOSED_FALLBACK", run->fallback);
    if (run->journal)
        set("UNCLOSED_JOURNAL", run->journal);
    if (run->table.options.threshold_ns > 0)
        set("UNCLOSED_WATCHED", "yes");
    (void)snprintf(number, sizeof number, "%016" PRIx64, run->run_id);
    set("UNCLOSED_RUN", number);
    (void)snprintf(number, sizeof number, "%d", getpid());
    set("UNCLOSED_ROOT", number);
    set_preload(run->library);
    allow_sanitizer();
}

static void __attribute__((noreturn))
become_command(const struct run *run, const struct waiting *waiting, int report)
{
    if (run->traced)
        set_environment(run);
    (void)sigaction(SIGCHLD, &waiting->old_child, NULL);
    (void)sigprocmask(SIG_SETMASK, &waiting->old_mask, NULL);
    (void)execvp(run->command[0], run->command);
    int error = errno;
    (void)!write(report, &error, sizeof error);
    _exit(CLI_NOT_FOUND);
}

static void begin_waiting(struct waiting *waiting)
{
    static const int signals[] = {SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2};
    const struct sigaction standard = {.sa_handler = SIG_DFL};
    (void)sigemptyset(&waiting->handled);
    for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++)
        (void)sigaddset(&waiting->handled, signals[i]);
    (void)sigprocmask(SIG_BLOCK, &waiting->handled, &waiting->old_mask);
    // Inherited as ignored, it would keep us from learning how the command ended.
    (void)sigaction(SIGCHLD, &standard, &waiting->old_child);
}

static void end_waiting(const struct waiting *waiting)
{
    run_begin_grace();
    // What came after the command's end was meant for the command.
    const struct timespec now = {0};
    while (sigtimedwait(&waiting->handled, NULL, &now) > 0)
        continue;
    (void)sigprocmask(SIG_SETMASK, &waiting->old_mask, NULL);
}

// Waits until there is a signal to be taken, a process of the run ended, or the time is over.
// pause: NULL: for ever. Result: whether there may be a signal.
static bool wait_for_event(const struct helpers *helpers, const struct timespec *pause)
{
    struct pollfd waited[] = {{.fd = helpers->signals, .events = POLLIN},
                              {.fd = ends_fd(helpers->ends), .events = POLLIN}};
    const int count = ppoll(waited, 2, pause, NULL);
    if (count > 0 && waited[1].revents)
        ends_look(helpers->ends);
    return count > 0 && waited[0].revents;
}

// Waits for a signal, and looks after the traces meanwhile. Result: the signal, or -1 when it is
// time for another look.
static int wait_for_signal(const struct run *run, const struct waiting *waiting,
                           const struct helpers *helpers, siginfo_t *info)
{
    static uint64_t next_look_ns;
    static const struct timespec at_once = {0};
    struct timespec pause = {0};
    if (helpers->watch) {
        uint64_t now_ns = clock_now(CLOCK_MONOTONIC);
        if (now_ns >= next_look_ns) {
            run_traces_watch(run, helpers->watch);
            uint64_t pause_ns = watch_look(helpers->watch);
            now_ns = clock_now(CLOCK_MONOTONIC);
            next_look_ns = now_ns + pause_ns;
        }
        uint64_t left_ns = next_look_ns - now_ns;
        pause = (struct timespec){(time_t)(left_ns / 1000000000), (long)(left_ns % 1000000000)};
    }
    const struct timespec *until = helpers->watch ? &pause : NULL;
    if (helpers->signals < 0) // no descriptor is left: ends of processes are not noticed
        return sigtimedwait(&waiting->handled, info, until);
    return wait_for_event(helpers, until) ? sigtimedwait(&waiting->handled, info, &at_once) : -1;
}

// Waits for the command's end. Result: as of waitpid, or -1.
static int wait_for(const struct run *run, const struct waiting *waiting,
                    const struct helpers *helpers)
{
    pid_t pid = run->pid;
    for (;;) {
        int status = 0;
        pid_t ended = waitpid(pid, &status, WNOHANG);
        if (ended == pid)
            return status;
        if (ended < 0 && errno != EINTR)
            return -1;
        siginfo_t info;
        int signal = wait_for_signal(run, waiting, helpers, &info);
        // Not what the terminal sends to the whole group, nor what the command itself does.
        if (signal > 0 && signal != SIGCHLD && info.si_code != SI_KERNEL && info.si_pid != pid)
            (void)kill(pid, signal);
    }
}

// Result: the errno with which the command could not be executed, or 0.
static int read_report(int fd)
{
    int error = 0;
    ssize_t got = 0;
    do {
        got = read(fd, &error, sizeof error);
    } while (got < 0 && errno == EINTR);
    return got == sizeof error ? error : 0;
}

static int say_not_started(const char *command, int error)
{
    if (error == ENOENT && (!strchr(command, '/') || access(command, F_OK) != 0)) {
        cli_message("%s: command not found; check its spelling and PATH", command);
        return CLI_NOT_FOUND;
    }
    if (error == ENOENT) {
        cli_message("%s: the interpreter or loader that it names does not exist", command);
        return CLI_NOT_FOUND;
    }
    cli_message("%s: cannot be executed: %s; check that it is a program and executable", command,
                strerror(error));
    return CLI_NOT_EXECUTABLE;
}

// traced: there may be something to see.
static void watch_command(struct run *run, const struct waiting *waiting, bool traced)
{
    struct helpers helpers = {.signals =
                                  signalfd(-1, &waiting->handled, SFD_CLOEXEC | SFD_NONBLOCK)};
    if (traced && run->table.options.threshold_ns > 0)
        helpers.watch = watch_new(run->table.options.threshold_ns, run->table.options.log);
    if (traced)
        helpers.ends = ends_new(run);
    run->status = wait_for(run, waiting, &helpers);
    run->end_ns = clock_now(CLOCK_MONOTONIC);
    end_waiting(waiting);
    ends_free(helpers.ends);
    if (helpers.signals >= 0)
        (void)close(helpers.signals);
    if (helpers.watch)
        run_traces_watch(run, helpers.watch); // those of the last moment
    watch_end(helpers.watch);
}

int run_command(struct run *run)
{
    struct waiting waiting;
    int report[2];
    if (pipe2(report, O_CLOEXEC) != 0)
        return cli_fail("cannot make a pipe: %s", strerror(errno));
    begin_waiting(&waiting);
    if (run->traced && geteuid() == 0)
        run_make_fallback(run);
    run->pid = fork();
    if (run->pid == 0)
        become_command(run, &waiting, report[1]);
    int error = errno;
    (void)close(report[1]);
    if (run->pid < 0) {
        (void)close(report[0]);
        end_waiting(&waiting);
        return cli_fail("cannot fork: %s", strerror(error));
    }
    error = read_report(report[0]);
    (void)close(report[0]);
    watch_command(run, &waiting, run->traced && error == 0);
    return error ? say_not_started(run->command[0], error) : 0;
}

void run_end_alike(int status)
{
    if (!WIFSIGNALED(status))
        exit(WIFEXITED(status) ? WEXITSTATUS(status) : CLI_FAILURE);
    const struct sigaction standard = {.sa_handler = SIG_DFL};
    sigset_t signal;
    (void)fflush(NULL);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0); // the core dump is the command's, not ours
    (void)sigaction(WTERMSIG(status), &standard, NULL);
    (void)sigemptyset(&signal);
    (void)sigaddset(&signal, WTERMSIG(status));
    (void)sigprocmask(SIG_UNBLOCK, &signal, NULL);
    (void)raise(WTERMSIG(status));
    exit(128 + WTERMSIG(status)); // only if that signal does not kill us
}
