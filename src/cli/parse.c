// Parsing options, or telling what they are: see cli.h.
#include <argp.h>
#include <stdlib.h>

#include "cli/cli.h"

static void (*describe)(const struct argp *argp);

void cli_describe(void (*function)(const struct argp *argp))
{
    describe = function;
}

void cli_parse(const struct argp *argp, int argc, char **argv, unsigned flags, void *input)
{
    if (describe) {
        describe(argp);
        exit(0);
    }
    (void)argp_parse(argp, argc, argv, flags, NULL, input);
}
