// `unclosed detach PID`: the recorder puts everything back and completes its trace.
#include <stdio.h>

#include "attach/attach.h"
#include "cli/cli.h"
#include "cli/live.h"

static void say_detached(pid_t pid, const struct attach_report *report)
{
    live_say_detached(pid, report);
    if (report->trace[0] != '\0')
        printf("  what it never closed  unclosed report '%s'\n", report->trace);
}

int command_detach(int argc, char **argv)
{
    return live_request(
        argc, argv,
        "Ends the recording of a live process: every hook is taken out and the trace completed. "
        "The process goes on undisturbed and can be attached to again.",
        attach_stop, say_detached);
}
