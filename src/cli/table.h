// The recorder's options as flags of a subcommand: what the user says, kept as text for the
// recorder and parsed for us. To be made a child of the subcommand's own struct argp.
#ifndef UNCLOSED_CLI_TABLE_H
#define UNCLOSED_CLI_TABLE_H

#include <argp.h>
#include <stddef.h>

#include "shared/options.h"

enum { TABLE_MOST = 32 };

struct table {
    struct options options;
    char *value[TABLE_MOST]; // by index in option_table; NULL: not said
    const char **pools;      // of the environment and of --pool, in order
    size_t pool_count;
};

// Sets up an empty table and reads the environment; argc: of the command line that will be parsed.
// Exits with a message if a variable has no valid value.
void table_init(struct table *table, int argc);

// The flags; the input of this child (state->child_inputs) is a struct table.
extern const struct argp table_argp;

#endif
