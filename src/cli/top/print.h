// `unclosed top` without a terminal: one snapshot as text. Knows the model; not who asks for it.
#ifndef UNCLOSED_CLI_TOP_PRINT_H
#define UNCLOSED_CLI_TOP_PRINT_H

#include <stdio.h>

#include "cli/top/model.h"

// Prints pools and the sites that hold something or never closed something. In a pipe no name is
// cut. Result: 0 or -errno.
int top_print(const struct top_snapshot *snapshot, FILE *out);

#endif
