// `unclosed detach PID`: the recorder puts everything back and completes its trace.
#include <stdio.h>

#include "attach/attach.h"
#include "cli/cli.h"
#include "cli/live.h"

int command_detach(int argc, char **argv)
{
    struct attach_report report;
    struct failure failure;
    const pid_t pid = live_parse_pid(
        argc, argv,
        "Ends the recording of a live process: every hook is taken out and the trace completed. "
        "The process goes on undisturbed and can be attached to again.");
    if (attach_stop(pid, &report, &failure) != 0)
        return cli_fail("%s", failure.text);
    live_say_detached(pid, &report);
    if (report.trace[0] != '\0')
        printf("  what it never closed  unclosed report '%s'\n", report.trace);
    return 0;
}
