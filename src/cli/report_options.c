// Options of `report` and `held`: see report_options.h.
#include "cli/report_options.h"

#include <stdio.h>
#include <stdlib.h>

#include "cli/cli.h"
#include "shared/options.h"

enum { KEY_FORMAT = 0x2000, KEY_THRESHOLD, KEY_FRAMES };

static const struct argp_option argp_options[] = {
    {"format", KEY_FORMAT, "FORMAT", 0, "One of: ", 0},
    {"threshold", KEY_THRESHOLD, "TIME", 0, "Only sessions held longer than this (30s, 500ms, 2m)",
     0},
    {NULL, 'n', "N", 0, "List N entries; 0: all (report: 10, held: all)", 0},
    {"frames", KEY_FRAMES, NULL, 0,
     "Show whole stacks, including frames of libraries and interpreters", 0},
    {"native", KEY_FRAMES, NULL, OPTION_ALIAS, NULL, 0},
    {0},
};

static void take_source(struct report_options *taken, const char *source)
{
    taken->sources = reallocarray(taken->sources, taken->count + 1, sizeof *taken->sources);
    if (!taken->sources)
        cli_no_memory();
    taken->sources[taken->count++] = source;
}

static error_t parse_common_option(int key, char *value, struct argp_state *state)
{
    struct report_options *taken = state->input;
    switch (key) {
    case KEY_FORMAT:
        if (!report_has_format(value))
            exit(cli_fail("--format=%s: unknown format; known: %s", value, report_formats(false)));
        taken->request.format = value;
        return 0;
    case KEY_THRESHOLD:
        if (!option_duration(value, &taken->request.threshold_ns))
            exit(cli_fail("--threshold=%s: expected a time such as 30s, 500ms or 2m", value));
        return 0;
    case 'n':
        taken->request.render.limit = cli_limit(value);
        return 0;
    case KEY_FRAMES:
        taken->request.render.all_frames = true;
        return 0;
    case ARGP_KEY_ARG:
        take_source(taken, value);
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

// argp frees what this makes.
static char *complete_help(int key, const char *text, void *input)
{
    char *made = NULL;
    (void)input;
    if (key != KEY_FORMAT)
        return (char *)text;
    if (asprintf(&made, "%s%s", text, report_formats(true)) < 0)
        cli_no_memory();
    return made;
}

const struct argp report_options_argp = {
    .options = argp_options, .parser = parse_common_option, .help_filter = complete_help};

struct report_options report_options_standard(void)
{
    return (struct report_options){.request = {.render.limit = REPORT_DEFAULT_LIMIT}};
}

void report_options_finish(struct report_options *options)
{
    if (options->count == 0)
        take_source(options, ".");
    options->request.sources = options->sources;
    options->request.source_count = options->count;
}

void report_options_free(struct report_options *options)
{
    free(options->sources);
}
