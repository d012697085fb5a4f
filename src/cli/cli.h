// What the subcommands share: their table, their messages, their exit statuses.
#ifndef UNCLOSED_CLI_CLI_H
#define UNCLOSED_CLI_CLI_H

#include <stdbool.h>

enum { // exit statuses of unclosed itself, as those of env(1)
    CLI_FAILURE = 125,
    CLI_NOT_EXECUTABLE = 126,
    CLI_NOT_FOUND = 127,
};

// A subcommand: argv[0] is "unclosed NAME", for its messages. Result: the exit status.
int command_run(int argc, char **argv);
int command_report(int argc, char **argv);
int command_diff(int argc, char **argv);
int command_held(int argc, char **argv);
int command_top(int argc, char **argv);
int command_attach(int argc, char **argv);
int command_detach(int argc, char **argv);
int command_dump(int argc, char **argv);

struct cli_command {
    const char *name;
    int (*function)(int argc, char **argv);
    const char *summary; // for --help
};

struct argp;

// Parses a subcommand's options, as argp_parse does; ends the process if they are wrong.
void cli_parse(const struct argp *argp, int argc, char **argv, unsigned flags, void *input);

// From now on cli_parse calls this instead, and ends the process with 0.
void cli_describe(void (*function)(const struct argp *argp));

// Prints "unclosed: " and the message as one line on standard error: the thing, the reason and the
// remedy. errno is kept. cli_fail returns CLI_FAILURE.
void cli_message(const char *format, ...) __attribute__((format(printf, 1, 2)));
int cli_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

// A name as one line that is safe to show, see shared/clean.h. Lives to the end of the process.
const char *cli_shown(const char *name);

// Ends the process with CLI_FAILURE after a message that there is no memory left.
void cli_no_memory(void) __attribute__((noreturn));

// Whether `text` is a whole number from `least` to `most`, and which.
bool cli_number(const char *text, long least, long most, long *number);

// The values of --error-exitcode, and of -n (0: all); end the process with a message if they are
// none.
int cli_exitcode(const char *text);
unsigned cli_limit(const char *text);

// Path of libunclosed.so, in the build folder or installed, found relative to the running
// executable; to be freed. NULL: there is none (a message was printed).
char *cli_library_path(void);

#endif
