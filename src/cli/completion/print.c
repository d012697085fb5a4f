// A script of completion for a shell: asks each command for its options.
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/completion/print.h"

static const struct completion_shell *const shells[] = {&completion_bash, &completion_zsh,
                                                        &completion_fish};

static const struct completion_shell *find_shell(const char *name)
{
    for (size_t i = 0; i < sizeof shells / sizeof *shells; i++)
        if (strcmp(shells[i]->name, name) == 0)
            return shells[i];
    return NULL;
}

// What the child does that runs a command up to where it would parse its options.
static struct {
    const struct completion_shell *shell;
    const struct cli_command *command;
} described;

static void describe(const struct argp *argp)
{
    completion_describe(described.shell, described.command->name, described.command->summary, argp,
                        stdout);
}

// In a process of its own: a command may do what it likes before it parses.
static bool print_command(const struct completion_shell *shell, const struct cli_command *command)
{
    int status = 1;
    fflush(stdout);
    const pid_t pid = fork();
    if (pid == 0) {
        char title[] = "unclosed";
        char *arguments[] = {title, NULL};
        described.shell = shell;
        described.command = command;
        cli_describe(describe);
        (void)command->function(1, arguments);
        _exit(CLI_FAILURE); // it parsed nothing
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        return false;
    if (WIFSIGNALED(status)) // nobody reads any more
        (void)raise(WTERMSIG(status));
    return status == 0;
}

int completion_print(const char *name, const struct cli_command *commands, size_t count)
{
    const struct completion_shell *shell = find_shell(name);
    if (!shell)
        return cli_fail("no completion for '%s'; there is bash, zsh and fish", name);
    const char **names = calloc(2 * count + 1, sizeof *names);
    if (!names)
        cli_no_memory();
    for (size_t i = 0; i < count; i++) {
        names[2 * i] = commands[i].name;
        names[2 * i + 1] = commands[i].summary;
    }
    bool good = true;
    shell->begin(stdout, names);
    for (size_t i = 0; i < count && good; i++)
        good = print_command(shell, &commands[i]);
    shell->end(stdout);
    free(names);
    if (!good)
        return cli_fail(
            "the options of a command cannot be found out; is a variable UNCLOSED_* set?");
    return fflush(stdout) == 0 ? 0 : cli_fail("the completion cannot be written");
}
