// `unclosed dump PID`: the recorder writes its summary to where it writes at exit.
#include <stdio.h>

#include "attach/attach.h"
#include "cli/cli.h"
#include "cli/live.h"

int command_dump(int argc, char **argv)
{
    struct attach_report report;
    struct failure failure;
    const pid_t pid = live_parse_pid(
        argc, argv,
        "Has the recorder in a live process write its summary now, to the standard error of that "
        "process or to where --log (UNCLOSED_LOG) said. Needs no signal.");
    if (attach_dump(pid, &report, &failure) != 0)
        return cli_fail("%s", failure.text);
    printf("process %d has written its summary to its standard error, or to the file of --log\n",
           pid);
    return 0;
}
