// `unclosed dump PID`: the recorder writes its summary to where it writes at exit.
#include <stdio.h>

#include "attach/attach.h"
#include "cli/cli.h"
#include "cli/live.h"

static void say_dumped(pid_t pid, const struct attach_report *report)
{
    (void)report;
    printf("process %d has written its summary to its standard error, or to the file of --log\n",
           pid);
}

int command_dump(int argc, char **argv)
{
    return live_request(
        argc, argv,
        "Has the recorder in a live process write its summary now, to the standard error of that "
        "process or to where --log (UNCLOSED_LOG) said. Needs no signal.",
        attach_dump, say_dumped);
}
