// `unclosed completion SHELL`: prints a script with the options of all commands.
#ifndef UNCLOSED_CLI_COMPLETION_PRINT_H
#define UNCLOSED_CLI_COMPLETION_PRINT_H

#include "cli/cli.h"
#include "cli/completion/completion.h"

// Prints it on standard output. name: of the shell. Result: the exit status.
int completion_print(const char *name, const struct cli_command *commands, size_t count);

#endif
