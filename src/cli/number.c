// Numbers on the command line: see cli.h.
#include "cli/cli.h"

#include <errno.h>
#include <stdlib.h>

bool cli_number(const char *text, long least, long most, long *number)
{
    char *end = NULL;
    errno = 0;
    *number = strtol(text, &end, 10);
    return errno == 0 && end != text && *end == '\0' && *number >= least && *number <= most;
}

int cli_exitcode(const char *text)
{
    long number;
    if (!cli_number(text, 1, 255, &number))
        exit(cli_fail("--error-exitcode '%s': expected an exit status from 1 to 255", text));
    return (int)number;
}

unsigned cli_limit(const char *text)
{
    long number;
    if (!cli_number(text, 0, 1000000, &number))
        exit(cli_fail("-n %s: expected a number of entries, 0 for all", text));
    return (unsigned)number;
}
