// unclosed held: who holds what right now, oldest first.
//
// Only the command line: src/report reads and prints.
#include "cli/cli.h"

#include "cli/report_options.h"
#include "stacks/stacks.h"

enum { KEY_STACKS = 0x3000 };

static const struct argp_option argp_options[] = {
    {"stacks", KEY_STACKS, NULL, 0,
     "Also show where the holding threads are now; each is stopped for a moment", 0},
    {0},
};

static error_t parse_held_option(int key, char *value, struct argp_state *state)
{
    struct report_options *options = state->input;
    (void)value;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = options;
        return 0;
    case KEY_STACKS:
        options->request.look = stacks_look;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

int command_held(int argc, char **argv)
{
    struct report_options options = report_options_standard();
    options.request.render.limit = 0; // whoever asks who holds what wants to see them all
    const struct argp_child children[] = {{&report_options_argp, 0, NULL, 0}, {0}};
    const struct argp argp = {
        .options = argp_options,
        .parser = parse_held_option,
        .children = children,
        .args_doc = "PID|TRACE...",
        .doc = "Lists the sessions that a traced process holds right now, or that an ended one "
               "held at its end: for how long, by which thread, and where they were opened. The "
               "process is not stopped unless --stacks is given.",
    };
    cli_parse(&argp, argc, argv, 0, &options);
    if (options.count == 0)
        return cli_fail("no process or trace given; for example: unclosed held 4711");
    report_options_finish(&options);
    int status = report_print_held(&options.request, stdout, NULL);
    report_options_free(&options);
    return status == 0 ? 0 : CLI_FAILURE;
}
