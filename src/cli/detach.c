// `unclosed detach PID`: the recorder puts everything back and completes its trace.
#include <stdio.h>

#include "attach/attach.h"
#include "cli/cli.h"
#include "cli/live.h"

static void say_detached(pid_t pid, const struct attach_report *report)
{
    live_say_detached(pid, report);
    if (report->trace[0] != '\0')
        printf("  what it never closed  unclosed report '%s'\n", cli_shown(report->trace));
}

int command_detach(int argc, char **argv)
{
    return live_request(argc, argv,
                        "Stops recording a running process: removes every hook and completes the "
                        "trace. The process continues undisturbed and can be attached to again.",
                        attach_stop, say_detached);
}
