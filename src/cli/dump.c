// `unclosed dump PID`: the recorder writes its summary to where it writes at exit.
#include <stdio.h>

#include "attach/attach.h"
#include "cli/cli.h"
#include "cli/live.h"

static void say_dumped(pid_t pid, const struct attach_report *report)
{
    (void)report;
    printf("process %d has written its summary to its standard error, or to its --log file\n", pid);
}

int command_dump(int argc, char **argv)
{
    return live_request(
        argc, argv,
        "Makes the recorder in a running process write its summary now, to the standard error of "
        "that process or to its --log (UNCLOSED_LOG) file. No signal is sent.",
        attach_dump, say_dumped);
}
