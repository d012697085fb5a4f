// What makes `run` and `report` fail for what they found: the options, and the exit status.
#ifndef UNCLOSED_CLI_JUDGING_H
#define UNCLOSED_CLI_JUDGING_H

#include <argp.h>
#include <stdbool.h>

#include "report/report.h"

struct judging {
    int error_exitcode; // 0: nothing was said
    bool allow_blind;
    const char *baseline; // NULL: none
    bool update_baseline;
    bool no_found;      // --no-suppressions: only those that were named
    const char **files; // --suppressions, in order
    size_t file_count;
    struct suppressions *suppressions; // from judging_check on
    struct arena *arena;               // of the limits
    limit_list limits;                 // --max-sessions, --max-held
};

// The flags; the input of this child (state->child_inputs) is a struct judging, zeroed. Ends the
// process with CLI_FAILURE and a message if a value is not of the expected form.
extern const struct argp judging_argp;

// After parsing: refuses options that do not go together, and a baseline and suppressions that
// cannot be read, before anything starts. Result: 0, or CLI_FAILURE with a message.
int judging_check(struct judging *judging);

// Puts it into a request.
void judging_ask(const struct judging *judging, struct report_request *request);

// The exit status for what was found: 0, or the one of --error-exitcode. A baseline and limits ask
// for one by themselves, which is 1.
int judging_status(const struct judging *judging, const struct report_outcome *outcome);

// When there are no more reports.
void judging_free(struct judging *judging);

#endif
