// Shell completion: what the options of all commands are, and a file for each shell that prints
// them in its language. Knows options as argp has them, and no command.
#ifndef UNCLOSED_CLI_COMPLETION_COMPLETION_H
#define UNCLOSED_CLI_COMPLETION_COMPLETION_H

#include <argp.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

// What a value can be completed with.
enum completion_value {
    COMPLETION_NONE, // there is no value
    COMPLETION_ANY,  // a number, a name ...
    COMPLETION_FILE,
    COMPLETION_PID,
    COMPLETION_FILE_OR_PID,
    COMPLETION_COMMAND, // a program with arguments of its own
    COMPLETION_WORDS,   // one of completion_option.words
};

struct completion_option {
    const char *flag; // without dashes; NULL: only a letter
    char letter;      // 0: only a flag
    enum completion_value value;
    const char *label; // of the value, as in --help
    const char *words; // separated by blanks
    const char *help;  // without a line break
};

struct completion_command {
    const char *name, *summary;
    const struct completion_option *options;
    size_t count;
    struct completion_option argument; // what is no option
};

// One a file: prints what stands in front of the commands, one command, and what stands behind.
// names: of all commands with their summaries, NULL-terminated pairs.
struct completion_shell {
    const char *name;
    void (*begin)(FILE *out, const char *const *names);
    void (*command)(FILE *out, const struct completion_command *command);
    void (*end)(FILE *out);
};

extern const struct completion_shell completion_bash, completion_zsh, completion_fish;

// Describes a command by its argp, children included. help: as cli_parse has it.
void completion_describe(const struct completion_shell *shell, const char *name,
                         const char *summary, const struct argp *argp, FILE *out);

// Prints a text with a backslash in front of each of `special`.
void completion_escape(FILE *out, const char *text, const char *special);

#endif
