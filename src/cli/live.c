// See live.h.
#include "cli/live.h"

#include <argp.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

#include "attach/attach.h"
#include "cli/cli.h"

pid_t live_pid(const char *text)
{
    long number;
    if (!cli_number(text, 1, INT_MAX, &number))
        exit(cli_fail(
            "'%s' is not a process ID; `pgrep -l NAME` lists the process IDs of a program", text));
    return (pid_t)number;
}

static error_t parse_pid_argument(int key, char *value, struct argp_state *state)
{
    pid_t *pid = state->input;
    switch (key) {
    case ARGP_KEY_ARG:
        if (*pid != 0)
            exit(cli_fail("only one process can be given, not '%s' as well", value));
        *pid = live_pid(value);
        return 0;
    case ARGP_KEY_NO_ARGS:
        exit(cli_fail("no process given; `pgrep -l NAME` lists the process IDs of a program"));
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int live_request(int argc, char **argv, const char *doc,
                 int (*ask)(pid_t pid, struct attach_report *report, struct failure *failure),
                 void (*say)(pid_t pid, const struct attach_report *report))
{
    struct attach_report report;
    struct failure failure;
    pid_t pid = 0;
    const struct argp argp = {.parser = parse_pid_argument, .args_doc = "PID", .doc = doc};
    cli_parse(&argp, argc, argv, 0, &pid);
    if (ask(pid, &report, &failure) != 0)
        return cli_fail("%s", failure.text);
    say(pid, &report);
    return 0;
}

void live_say_detached(pid_t pid, const struct attach_report *report)
{
    const struct patching_result *patching = &report->patching;
    const bool left = patching->left > 0 || patching->failure.error != 0;
    printf("process %d is no longer recorded (paused for %.1f ms)\n", pid,
           (double)report->pause_ns / 1e6);
    if (left)
        cli_message("functions of the process stay patched, because %s; they still jump to the "
                    "recorder, which is now inactive",
                    patching->failure.error != 0
                        ? "its threads could not all be stopped at once"
                        : "something else has changed their first bytes since");
}
