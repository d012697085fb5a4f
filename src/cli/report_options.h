// What `report` and `held` have in common on the command line: which traces, which format, how
// much.
#ifndef UNCLOSED_CLI_REPORT_OPTIONS_H
#define UNCLOSED_CLI_REPORT_OPTIONS_H

#include <argp.h>
#include <stddef.h>

#include "report/report.h"

struct report_options {
    struct report_request request;
    const char **sources;
    size_t count;
};

// As a child of the command's own parser; its input is a struct report_options. Ends the process
// with CLI_FAILURE and a message if a value is not of the expected form.
extern const struct argp report_options_argp;

struct report_options report_options_standard(void);
void report_options_finish(struct report_options *options); // after parsing: completes the request
void report_options_free(struct report_options *options);

#endif
