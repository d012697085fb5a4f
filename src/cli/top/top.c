// unclosed top: who holds what, live in the terminal.
//
// Only the command line and the loop: readings come from target.c, what they mean is in
// model.c, what is seen in top_screen.c.
#include "cli/cli.h"

#include <argp.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "cli/top/print.h"
#include "cli/top/screen.h"
#include "cli/top/target.h"
#include "cli/top/terminal.h"
#include "shared/options.h"
#include "trace/clock.h"

#define LEAST_INTERVAL_NS (TOP_SECOND / 10)
#define MOST_INTERVAL_NS (3600 * TOP_SECOND)

struct arguments {
    const char **names;
    size_t count;
    uint64_t interval_ns, threshold_ns;
    bool once;
};

enum { KEY_ONCE = 0x2000, KEY_THRESHOLD };

static const struct argp_option argp_options[] = {
    {"interval", 'd', "TIME", 0,
     "Read the trace every TIME (1s; 500ms, 2s, or a number of seconds)", 0},
    {"threshold", KEY_THRESHOLD, "TIME", 0,
     "Count only sessions held longer than this (30s, 500ms)", 0},
    {"once", KEY_ONCE, NULL, 0, "Print one snapshot and exit, even on a terminal", 0},
    {0},
};

static uint64_t take_interval(const char *value)
{
    uint64_t ns;
    char *end;
    double seconds = strtod(value, &end);
    if (end != value && *end == 0 && seconds > 0 && seconds < 1e6)
        ns = (uint64_t)(seconds * (double)TOP_SECOND);
    else if (!option_duration(value, &ns))
        ns = 0;
    if (ns < LEAST_INTERVAL_NS || ns > MOST_INTERVAL_NS)
        exit(cli_fail("--interval '%s': expected a time from 100ms to 1h", value));
    return ns;
}

static error_t parse_top_option(int key, char *value, struct argp_state *state)
{
    struct arguments *taken = state->input;
    switch (key) {
    case 'd':
        taken->interval_ns = take_interval(value);
        return 0;
    case KEY_THRESHOLD:
        if (!option_duration(value, &taken->threshold_ns))
            exit(cli_fail("--threshold=%s: expected a time such as 30s, 500ms or 2m", value));
        return 0;
    case KEY_ONCE:
        taken->once = true;
        return 0;
    case ARGP_KEY_ARG:
        taken->names = reallocarray(taken->names, taken->count + 1, sizeof *taken->names);
        if (!taken->names)
            cli_no_memory();
        taken->names[taken->count++] = value;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

// Reads the traces once more. The last state of ended processes stays: what grew and how fast would
// be forgotten.
static bool read_again(struct top_target *target, struct top_screen *screen)
{
    struct profile *profile = top_target_read(target);
    if (!profile)
        return false;
    const struct top_snapshot *last = top_model_snapshot(screen->model);
    if (last->number > 0 && last->ended && profile->running == 0) {
        profile_free(profile);
        return true;
    }
    top_model_take(screen->model, profile, clock_now(CLOCK_MONOTONIC));
    screen->read_realtime = clock_now(CLOCK_REALTIME);
    return true;
}

static volatile sig_atomic_t ending; // by this signal

static void end(int number)
{
    ending = number;
}

// Signals come only while top_terminal_wait waits. before: the mask to wait with.
static void catch_signals(sigset_t *before)
{
    static const int ends[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
    static const int others[] = {SIGWINCH, SIGTSTP};
    sigset_t blocked;
    sigemptyset(&blocked);
    for (size_t i = 0; i < sizeof ends / sizeof ends[0]; i++) {
        struct sigaction action;
        if (sigaction(ends[i], NULL, &action) == 0 && action.sa_handler == SIG_IGN)
            continue; // nohup
        action = (struct sigaction){.sa_handler = end};
        sigemptyset(&action.sa_mask);
        (void)sigaction(ends[i], &action, NULL);
        sigaddset(&blocked, ends[i]);
    }
    for (size_t i = 0; i < sizeof others / sizeof others[0]; i++)
        sigaddset(&blocked, others[i]);
    (void)sigprocmask(SIG_BLOCK, &blocked, before);
}

// Keys pressed. Whether to go on.
static bool take_keys(struct top_screen *screen, uint64_t *due_ns)
{
    for (uint32_t key; (key = top_terminal_key()) != TOP_KEY_NONE;) {
        enum top_wish wish = top_screen_key(screen, key);
        if (wish == TOP_QUIT)
            return false;
        if (wish == TOP_READ_NOW)
            *due_ns = 0;
    }
    return true;
}

static void watch(struct top_target *target, struct top_screen *screen, const sigset_t *mask)
{
    uint64_t due_ns = clock_now(CLOCK_MONOTONIC) + screen->interval_ns;
    while (!ending) {
        uint64_t now = clock_now(CLOCK_MONOTONIC);
        if (now >= due_ns && !screen->frozen)
            (void)read_again(target, screen);
        if (now >= due_ns)
            due_ns = now + screen->interval_ns;
        top_screen_draw(screen);
        now = clock_now(CLOCK_MONOTONIC);
        if (!top_terminal_wait(due_ns > now ? due_ns - now : 0, mask) ||
            !take_keys(screen, &due_ns))
            return;
    }
}

// Dies of the signal that ended it, so that its sender can see it; Ctrl-C is a way to quit.
static int status_of_end(const sigset_t *mask)
{
    if (!ending || ending == SIGINT)
        return 0;
    (void)signal(ending, SIG_DFL);
    (void)sigprocmask(SIG_SETMASK, mask, NULL);
    (void)raise(ending);
    return CLI_FAILURE;
}

static int run_screen(struct top_target *target, struct top_screen *screen)
{
    sigset_t mask;
    catch_signals(&mask);
    int error = top_terminal_enter();
    if (error < 0)
        return cli_fail("cannot use the terminal: %s; try --once", strerror(-error));
    watch(target, screen, &mask);
    top_terminal_leave();
    return status_of_end(&mask);
}

static int show(struct top_target *target, struct top_screen *screen, bool once)
{
    if (!once && top_terminal_usable())
        return run_screen(target, screen);
    int error = top_print(top_model_snapshot(screen->model), stdout);
    return error == 0 ? 0 : cli_fail("cannot write the snapshot: %s", strerror(-error));
}

static int run(struct top_target *target, const struct arguments *arguments)
{
    struct top_screen screen = {.model = top_model_new(), .interval_ns = arguments->interval_ns};
    // If nothing can be read, it is said why.
    int status = read_again(target, &screen) ? show(target, &screen, arguments->once) : CLI_FAILURE;
    top_model_free(screen.model);
    return status;
}

int command_top(int argc, char **argv)
{
    struct arguments arguments = {.interval_ns = TOP_SECOND};
    const struct argp argp = {
        .options = argp_options,
        .parser = parse_top_option,
        .args_doc = "PID|TRACE...",
        .doc = "Shows live how full each pool is, which places in the code hold how many sessions, "
               "and which of these grow. Press h for the keys. The process is not stopped. Without "
               "a terminal it prints one snapshot and exits.",
    };
    cli_parse(&argp, argc, argv, 0, &arguments);
    if (arguments.count == 0)
        return cli_fail("no process or trace given; for example: unclosed top 4711");
    struct top_target *target =
        top_target_open(arguments.names, arguments.count, arguments.threshold_ns);
    int status = target ? run(target, &arguments) : CLI_FAILURE;
    top_target_close(target);
    free(arguments.names);
    return status;
}
