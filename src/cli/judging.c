// Options that make a report fail: see judging.h.
#include "cli/judging.h"

#include <stdlib.h>

#include "cli/cli.h"
#include "report/compare/baseline.h"

enum {
    KEY_ERROR_EXITCODE = 0x5000,
    KEY_ALLOW_BLIND,
    KEY_BASELINE,
    KEY_UPDATE_BASELINE,
    KEY_SUPPRESSIONS,
    KEY_NO_SUPPRESSIONS,
    KEY_MAX_SESSIONS,
    KEY_MAX_HELD
};

static const struct argp_option options[] = {
    {"error-exitcode", KEY_ERROR_EXITCODE, "N", 0,
     "Exit with N if sessions were never closed, or calls that may have had sessions were not seen "
     "(run: if the command succeeded)",
     0},
    {"allow-blind", KEY_ALLOW_BLIND, NULL, 0,
     "Do not let --error-exitcode fail for what was not seen; it is still said", 0},
    {"baseline", KEY_BASELINE, "FILE", 0,
     "Fail only for sites that FILE does not have, or that leak more than it says; with "
     "--error-exitcode, or with 1",
     0},
    {"update-baseline", KEY_UPDATE_BASELINE, NULL, 0,
     "Write the sites that leak to the file of --baseline", 0},
    {"max-sessions", KEY_MAX_SESSIONS, "[pool:NAME=|test:NAME=]N", 0,
     "Fail if more than N sessions were never closed, in all or of a pool or test whose name NAME "
     "fits, instead of for any; may be repeated",
     0},
    {"max-held", KEY_MAX_HELD, "[pool:NAME=|test:NAME=]TIME", 0,
     "Fail if a session was held for longer than TIME; may be repeated", 0},
    {"suppressions", KEY_SUPPRESSIONS, "FILE", 0,
     "Do not count sessions that a line of FILE fits (leak:PATTERN); may be repeated. "
     ".unclosed.supp in this folder or above it, and in the home folder, is used without",
     0},
    {"no-suppressions", KEY_NO_SUPPRESSIONS, NULL, 0, "Use no suppressions that are not named", 0},
    {0},
};

static void take_limit(struct judging *judging, const char *value, bool held)
{
    struct limit limit;
    if (!judging->arena)
        judging->arena = arena_new();
    const char *expected = limit_parse(judging->arena, value, held, &limit);
    if (expected)
        exit(cli_fail("--max-%s '%s': expected %s", held ? "held" : "sessions", value, expected));
    *LIST_ADD(judging->arena, &judging->limits) = limit;
}

static error_t parse_judging_option(int key, char *value, struct argp_state *state)
{
    struct judging *judging = state->input;
    switch (key) {
    case KEY_ERROR_EXITCODE:
        judging->error_exitcode = cli_exitcode(value);
        return 0;
    case KEY_ALLOW_BLIND:
        judging->allow_blind = true;
        return 0;
    case KEY_BASELINE:
        judging->baseline = value;
        return 0;
    case KEY_UPDATE_BASELINE:
        judging->update_baseline = true;
        return 0;
    case KEY_SUPPRESSIONS:
        judging->files =
            reallocarray(judging->files, judging->file_count + 1, sizeof *judging->files);
        if (!judging->files)
            cli_no_memory();
        judging->files[judging->file_count++] = value;
        return 0;
    case KEY_MAX_SESSIONS:
    case KEY_MAX_HELD:
        take_limit(judging, value, key == KEY_MAX_HELD);
        return 0;
    case KEY_NO_SUPPRESSIONS:
        judging->no_found = true;
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

const struct argp judging_argp = {.options = options, .parser = parse_judging_option};

// Result: false with a message.
static bool read_suppressions(struct suppressions *suppressions, const char *path, bool found)
{
    const char *warning = NULL;
    const char *fault = suppressions_read(suppressions, path, found, &warning);
    if (warning)
        cli_message("%s", warning);
    if (fault)
        cli_message("%s%s", found ? "" : "--suppressions: ", fault);
    return !fault;
}

static bool take_suppressions(struct judging *judging)
{
    struct arena *arena = arena_new();
    struct suppressions *suppressions = arena_take(arena, sizeof *suppressions);
    const char *found[2];
    bool good = true;
    suppressions->arena = arena;
    judging->suppressions = suppressions;
    for (size_t i = 0; i < judging->file_count && good; i++)
        good = read_suppressions(suppressions, judging->files[i], false);
    const size_t count = judging->no_found ? 0 : suppressions_find(arena, found);
    for (size_t i = 0; i < count && good; i++)
        good = read_suppressions(suppressions, found[i], true);
    return good;
}

void judging_free(struct judging *judging)
{
    free(judging->files);
    if (judging->suppressions)
        arena_free(judging->suppressions->arena);
    arena_free(judging->arena);
}

int judging_check(struct judging *judging)
{
    if (!take_suppressions(judging))
        return CLI_FAILURE;
    if (judging->update_baseline && !judging->baseline)
        return cli_fail("--update-baseline: name the file with --baseline FILE");
    if (!judging->baseline)
        return 0;
    struct arena *arena = arena_new();
    const char *fault = judging->update_baseline ? report_file_fault(judging->baseline)
                                                 : baseline_fault(arena, judging->baseline);
    if (fault)
        (void)cli_fail(judging->update_baseline ? "--baseline %s: cannot be written: %s"
                                                : "--baseline %s: %s; --update-baseline makes one",
                       judging->baseline, fault);
    arena_free(arena);
    return fault ? CLI_FAILURE : 0;
}

void judging_ask(const struct judging *judging, struct report_request *request)
{
    request->baseline = judging->baseline;
    request->update_baseline = judging->update_baseline;
    request->suppressions = judging->suppressions;
    request->limits = &judging->limits;
}

int judging_status(const struct judging *judging, const struct report_outcome *outcome)
{
    const bool failed = outcome->unexpected > 0 || outcome->excesses > 0 ||
                        (outcome->blind > 0 && !judging->allow_blind);
    const bool asked = judging->baseline || judging->limits.count > 0;
    if (!failed)
        return 0;
    return judging->error_exitcode ? judging->error_exitcode : asked ? 1 : 0;
}
