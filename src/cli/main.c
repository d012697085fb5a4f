// The entry: finds the subcommand. Knows the names of the subcommands and nothing of what they do.
#include "cli/cli.h"
#include "cli/completion/print.h"

#include <argp.h>
#include <errno.h>
#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "report/render/text/clean_stream.h"

static int command_completion(int argc, char **argv);

static const struct cli_command commands[] = {
    {"run", command_run, "run a command and report the sessions it never closed"},
    {"report", command_report, "report on traces, in one of several formats"},
    {"diff", command_diff, "compare two recordings: what leaks anew, more, less, no longer"},
    {"held", command_held, "list the sessions held right now, and by whom"},
    {"top", command_top, "the same live in the terminal, with pools and growth"},
    {"attach", command_attach, "trace a running process"},
    {"detach", command_detach, "stop tracing a process"},
    {"dump", command_dump, "make a traced process print its summary"},
    {"completion", command_completion, "print completions for bash, zsh or fish"},
};
enum { COMMANDS = sizeof commands / sizeof commands[0] };

static error_t parse_shell(int key, char *value, struct argp_state *state)
{
    if (key != ARGP_KEY_ARG || state->arg_num > 0)
        return ARGP_ERR_UNKNOWN;
    *(const char **)state->input = value;
    return 0;
}

// unclosed completion bash|zsh|fish
static int command_completion(int argc, char **argv)
{
    const char *shell = NULL;
    const struct argp argp = {
        .parser = parse_shell,
        .args_doc = "bash|zsh|fish",
        .doc = "Prints a script that completes the commands and options of unclosed; for example: "
               "source <(unclosed completion bash)"};
    cli_parse(&argp, argc, argv, 0, &shell);
    if (!shell)
        return cli_fail("name the shell: unclosed completion bash|zsh|fish");
    return completion_print(shell, commands, COMMANDS);
}

static const struct cli_command *find_command(const char *name)
{
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(commands[i].name, name) == 0)
            return &commands[i];
    }
    return NULL;
}

static int run_command(const struct cli_command *command, int argc, char **argv)
{
    char title[64];
    (void)snprintf(title, sizeof title, "unclosed %s", command->name);
    argv[0] = title;
    program_invocation_name = title;
    return command->function(argc, argv);
}

static int print_help(FILE *out)
{
    (void)fputs("Usage: unclosed COMMAND [OPTION...]\n"
                "Finds the database sessions that a program opens or checks out and never gives "
                "back.\n\n",
                out);
    for (size_t i = 0; i < COMMANDS; i++)
        (void)fprintf(out, "  %-10s %s\n", commands[i].name, commands[i].summary);
    (void)fputs("\n'unclosed COMMAND --help' lists the options of a command, "
                "'man unclosed-COMMAND' explains them.\n"
                "Try: unclosed run -- python3 app.py\n",
                out);
    return fflush(out) == 0 ? 0 : CLI_FAILURE;
}

static int unknown_command(const char *name)
{
    return cli_fail("unknown command '%s'; 'unclosed --help' lists all commands", name);
}

// unclosed help [COMMAND]
static int print_command_help(int argc, char **argv)
{
    if (argc < 2)
        return print_help(stdout);
    const struct cli_command *command = find_command(argv[1]);
    if (!command)
        return unknown_command(argv[1]);
    char help[] = "--help";
    char *arguments[] = {argv[1], help, NULL};
    return run_command(command, 2, arguments);
}

int main(int argc, char **argv)
{
    argp_err_exit_status = CLI_FAILURE;
    (void)setlocale(LC_CTYPE, ""); // which characters a terminal has
    stdout = clean_stream_open(stdout, isatty(STDOUT_FILENO));
    stderr = clean_stream_open(stderr, true);
    clean_stream_for_people(stdout, true);
    clean_stream_for_people(stderr, true);
    if (argc < 2) {
        (void)print_help(stderr);
        return CLI_FAILURE;
    }
    const char *name = argv[1];
    if (strcmp(name, "--help") == 0 || strcmp(name, "-h") == 0)
        return print_help(stdout);
    if (strcmp(name, "--version") == 0 || strcmp(name, "-V") == 0)
        return puts("unclosed " CLI_VERSION) < 0 ? CLI_FAILURE : 0;
    if (strcmp(name, "help") == 0)
        return print_command_help(argc - 1, argv + 1);
    const struct cli_command *command = find_command(name);
    return command ? run_command(command, argc - 1, argv + 1) : unknown_command(name);
}
