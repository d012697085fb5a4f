// unclosed report: what traces tell, in one of several formats.
//
// Only the command line: src/report reads, judges and prints.
#include "cli/cli.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>

#include "cli/judging.h"
#include "cli/report_files.h"
#include "cli/report_options.h"

struct arguments {
    struct report_options options;
    struct report_files files;
    const char *output;
    struct judging judging;
};

enum { KEY_GROUP_BY = 0x1000, KEY_GEN_SUPPRESSIONS };

static const struct argp_option options[] = {
    {"group-by", KEY_GROUP_BY, "site|file|thread|pool|test", 0,
     "Group sessions by site (the default), file, thread, pool or test", 0},
    {"gen-suppressions", KEY_GEN_SUPPRESSIONS, NULL, 0,
     "Print suppressions for all that is never closed: --format=supp", 0},
    {"output", 'o', "FILE", 0, "Write the report to FILE instead of standard output", 0},
    {0},
};

static error_t take_group(struct arguments *arguments, const char *value)
{
    int group = group_by_name(value);
    if (group < 0)
        exit(cli_fail("--group-by=%s: expected site, file, thread, pool or test", value));
    arguments->options.request.render.group_by = (enum group_by)group;
    return 0;
}

static error_t parse_report_option(int key, char *value, struct argp_state *state)
{
    struct arguments *arguments = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &arguments->options;
        state->child_inputs[1] = &arguments->files;
        state->child_inputs[2] = &arguments->judging;
        return 0;
    case KEY_GROUP_BY:
        return take_group(arguments, value);
    case KEY_GEN_SUPPRESSIONS:
        arguments->options.request.format = "supp";
        return 0;
    case 'o':
        arguments->output = value;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static int print_report(struct arguments *arguments)
{
    struct report_request *request = &arguments->options.request;
    struct report_outcome outcome;
    if (arguments->output)
        report_files_add(&arguments->files, "-o", request->format ? request->format : "text",
                         arguments->output);
    report_files_ask(&arguments->files, request);
    judging_ask(&arguments->judging, request);
    if (report_print(request, arguments->output ? NULL : stdout, &outcome) != 0)
        return CLI_FAILURE;
    return judging_status(&arguments->judging, &outcome);
}

int command_report(int argc, char **argv)
{
    struct arguments arguments = {.options = report_options_standard()};
    const struct argp_child children[] = {{&report_options_argp, 0, NULL, 0},
                                          {&report_files_argp, 0, NULL, 0},
                                          {&judging_argp, 0, NULL, 0},
                                          {0}};
    const struct argp argp = {
        .options = options,
        .parser = parse_report_option,
        .children = children,
        .args_doc = "[TRACE|DIR|PID]...",
        .doc = "Reports which database sessions were never closed, where they were opened, and who "
               "held the pools when they ran dry. Several traces, or all traces in a folder, are "
               "merged. Without an argument: the traces in the current folder.",
    };
    report_files_init(&arguments.files);
    cli_parse(&argp, argc, argv, 0, &arguments);
    report_options_finish(&arguments.options);
    report_files_check_redact(&arguments.files, arguments.options.request.format);
    int status = judging_check(&arguments.judging);
    if (status == 0)
        status = print_report(&arguments);
    judging_free(&arguments.judging);
    report_files_free(&arguments.files);
    report_options_free(&arguments.options);
    return status;
}
