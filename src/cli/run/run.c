// `unclosed run`: runs a command with the recorder in it, then reports what it never closed.
//
// Order and command line only; each step is a file run_*.c of its own.
#include "cli/run/run.h"
#include "cli/cli.h"
#include "cli/patches.h"
#include "cli/run/blind.h"
#include "cli/run/journal.h"

#include <argp.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/wait.h>
#include <unistd.h>

#include "shared/spec.h"

enum {
    KEY_NO_PATCH = 'e' + 0x100,
    KEY_PATCH_IN,
};

static error_t parse_run_option(int key, char *value, struct argp_state *state)
{
    struct run *run = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &run->table;
        state->child_inputs[1] = &run->files;
        state->child_inputs[2] = &run->judging;
        return 0;
    case KEY_NO_PATCH:
        run->no_patch = true;
        return 0;
    case KEY_PATCH_IN:
        run->patch_in[run->patch_in_count++] = value;
        return 0;
    case ARGP_KEY_ARG: // the command: from here on nothing is ours
        run->command = &state->argv[state->next - 1];
        state->next = state->argc;
        return 0;
    case ARGP_KEY_NO_ARGS:
        exit(cli_fail("no command given; for example: unclosed run -- python3 app.py"));
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option own_options[] = {
    {"patch-in", KEY_PATCH_IN, "FILE", 0,
     "Also trace calls inside FILE, a program that the command starts or a library that "
     "it loads, by patching functions in memory; may be repeated",
     0},
    {"no-patch", KEY_NO_PATCH, NULL, 0,
     "Do not patch functions in memory; calls inside the program are then not traced", 0},
    {0},
};

static void parse_command_line(struct run *run, int argc, char **argv)
{
    static const struct argp_child children[] = {
        {.argp = &table_argp}, {.argp = &report_files_argp}, {.argp = &judging_argp}, {0}};
    const struct argp argp = {
        .options = own_options,
        .children = children,
        .parser = parse_run_option,
        .args_doc = "[--] COMMAND [ARGUMENT...]",
        .doc = "Runs COMMAND and reports on standard error which database sessions it opened or "
               "checked out and never gave back.\vThe exit status is that of COMMAND; 125 if "
               "unclosed itself fails, 126 if COMMAND cannot be executed, 127 if it is not found. "
               "Options of the recorder can also be set as variables: --wait-threshold as "
               "UNCLOSED_WAIT_THRESHOLD."};
    run->patch_in = calloc((size_t)argc + 1, sizeof *run->patch_in);
    if (!run->patch_in)
        cli_no_memory();
    table_init(&run->table, argc);
    report_files_init(&run->files);
    cli_parse(&argp, argc, argv, ARGP_IN_ORDER, run);
    report_files_check_redact(&run->files, NULL);
    struct table *table = &run->table;
    table->options.pools = run_pools_text(table->pools, table->pool_count);
    free(table->pools);
    if (!table->options.pools || judging_check(&run->judging) != 0)
        exit(CLI_FAILURE);
}

// Result: 0 or an exit status.
static int prepare_patches(struct run *run)
{
    char program[PATH_MAX];
    for (size_t i = 0; i < run->patch_in_count; i++)
        if (access(run->patch_in[i], R_OK) != 0)
            return cli_fail("--patch-in '%s': %s", run->patch_in[i], strerror(errno));
    if (run->no_patch)
        return 0;
    run->patches = patches_of_command(run_find_program(run->command[0], program) ? program : NULL,
                                      run->patch_in, run->patch_in_count, run->table.options.pools);
    return 0;
}

// Finds out what can be traced, and says what cannot. Result: 0 or an exit status.
static int prepare(struct run *run)
{
    bool preload = true;
    run->library = cli_library_path();
    if (!run->library)
        return CLI_FAILURE;
    run->library = run_library_for_all(run->library);
    if (strpbrk(run->library, " :"))
        return cli_fail("the loader cannot preload %s, because its path contains a space or a "
                        "colon; install unclosed somewhere else",
                        run->library);
    if (getrandom(&run->run_id, sizeof run->run_id, 0) != sizeof run->run_id)
        return cli_fail("cannot get a random number: %s", strerror(errno));
    run->traced = true;
    if (!run_prepare_output(run))
        return CLI_FAILURE;
    if (run->traced) {
        run->reason = run_check_command(run->command[0], &preload);
        run->traced = preload;
    }
    if (!run->traced)
        return 0;
    run->journal = journal_make();
    return prepare_patches(run);
}

// No process left a trace: says so, unless more has been said already.
static void say_no_sessions(const struct run *run, const struct blind *blind)
{
    if (blind_count(blind) > 0 || !blind->any_process)
        cli_message("nothing was recorded of %s%s%s", run->command[0], run->reason ? ": " : "",
                    run->reason ? run->reason : "");
    else
        cli_message("no sessions: %s called none of the traced functions", run->command[0]);
}

// What came of the run.
struct verdict {
    int status;     // for what was found: 0, or what --error-exitcode says
    bool unwritten; // a file that was asked for
};

// Without a trace nothing is printed, but files are written: nothing is a result, too.
static struct verdict report_on(struct run *run, char **paths, size_t count,
                                const struct blind *blind)
{
    struct report_outcome outcome = {0};
    struct profile_blind *spots = blind_spots(blind);
    struct report_request request = {
        .sources = (const char *const *)paths,
        .source_count = count,
        .run_id = run->run_id,
        .render = {.limit = REPORT_DEFAULT_LIMIT, .blind_told = true},
        .blind = spots,
        .blind_count = blind_count(blind),
        .none_is_fine = count == 0,
    };
    report_files_ask(&run->files, &request);
    judging_ask(&run->judging, &request);
    const bool failed = report_print(&request, count > 0 ? stderr : NULL, &outcome) != 0;
    free(spots);
    return (struct verdict){judging_status(&run->judging, &outcome),
                            failed && (run->files.count > 0 || run->judging.baseline)};
}

static struct verdict report(struct run *run)
{
    size_t count = 0;
    struct blind blind = blind_find(run);
    char **paths = run_traces_find(run, &count);
    run_remove_fallback(run); // before anybody interrupts the report
    blind_print(&blind);
    if (count == 0)
        say_no_sessions(run, &blind);
    const struct verdict verdict = report_on(run, paths, count, &blind);
    run_traces_free(paths, count);
    blind_free(&blind);
    judging_free(&run->judging);
    report_files_free(&run->files);
    return verdict;
}

int command_run(int argc, char **argv)
{
    static struct run run; // large, and kept to the end
    parse_command_line(&run, argc, argv);
    int failure = prepare(&run);
    if (!failure)
        failure = run_command(&run);
    if (failure) {
        run_remove_fallback(&run);
        journal_remove(run.journal);
        return failure;
    }
    (void)signal(SIGPIPE,
                 SIG_IGN); // whoever reads the report may stop: the status is the command's
    const struct verdict verdict = report(&run);
    journal_remove(run.journal);
    const bool succeeded = WIFEXITED(run.status) && WEXITSTATUS(run.status) == 0;
    if (succeeded && verdict.unwritten)
        return CLI_FAILURE;
    if (succeeded && verdict.status)
        return verdict.status;
    run_end_alike(run.status);
}
