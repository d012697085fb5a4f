// unclosed diff: what leaks now and did not, what leaks more, less, or no longer.
//
// Only the command line: src/report compares and prints.
#include "cli/cli.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>

#include "report/diff.h"
#include "report/report.h"

struct arguments {
    struct diff_request request;
    int error_exitcode;
};

enum { KEY_FORMAT = 0x1000, KEY_ERROR_EXITCODE };

static const struct argp_option options[] = {
    {"format", KEY_FORMAT, "text|json", 0, "What to print (default: text)", 0},
    {NULL, 'n', "N", 0, "List N changes; 0: all (default: 0)", 0},
    {"error-exitcode", KEY_ERROR_EXITCODE, "N", 0, "Exit with N if a site is new or worse", 0},
    {0},
};

static error_t parse_diff_option(int key, char *value, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case KEY_FORMAT:
        if (!diff_has_format(value))
            exit(cli_fail("--format=%s: expected text or json", value));
        arguments->request.format = value;
        return 0;
    case 'n':
        arguments->request.limit = cli_limit(value);
        return 0;
    case KEY_ERROR_EXITCODE:
        arguments->error_exitcode = cli_exitcode(value);
        return 0;
    case ARGP_KEY_ARG:
        if (state->arg_num > 1)
            exit(cli_fail("'%s' is one too many: diff compares two, OLD and NEW", value));
        *(state->arg_num ? &arguments->request.after : &arguments->request.before) = value;
        return 0;
    case ARGP_KEY_END:
        if (state->arg_num < 2)
            exit(cli_fail("name the two to compare: unclosed diff OLD NEW"));
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int command_diff(int argc, char **argv)
{
    struct arguments arguments = {.error_exitcode = 0};
    struct diff_outcome outcome;
    const struct argp argp = {
        .options = options,
        .parser = parse_diff_option,
        .args_doc = "OLD NEW",
        .doc = "Compares two recordings: which sites leak in NEW and did not in OLD, which leak "
               "more, less, or no longer. Each is a trace, a folder of traces, a process, a JSON "
               "report, or a baseline.",
    };
    cli_parse(&argp, argc, argv, 0, &arguments);
    if (diff_print(&arguments.request, stdout, &outcome) != 0)
        return CLI_FAILURE;
    return outcome.new_sites + outcome.worse > 0 ? arguments.error_exitcode : 0;
}
