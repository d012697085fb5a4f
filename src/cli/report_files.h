// Files that `run` and `report` write besides what they print, on the command line: --write
// FORMAT=FILE, or --FORMAT FILE for short; and what only some formats need to know.
#ifndef UNCLOSED_CLI_REPORT_FILES_H
#define UNCLOSED_CLI_REPORT_FILES_H

#include <argp.h>
#include <stddef.h>

#include "report/report.h"

struct report_files {
    const char **redact; // what --redact says a page leaves out
    size_t redact_count;
    struct report_file *item; // in the order in which they were given
    size_t count;
    char *source_root; // --source-root: absolute; NULL: not said
};

// Sets up an empty list, and the flags. To be called before parsing.
void report_files_init(struct report_files *files);

// As a child of the command's own parser; its input is a struct report_files. Ends the process with
// CLI_FAILURE and a message if there is no such format, or a file cannot be written.
extern const struct argp report_files_argp;

// Adds a file; ends the process as above. option: what the user said it with.
void report_files_add(struct report_files *files, const char *option, const char *format,
                      const char *path);
// Fills in what a request has of these. They have to outlive it.
void report_files_ask(const struct report_files *files, struct report_request *request);

// Whether --redact has something to work on: a page is among the files, or `format` is one. Ends
// the process with CLI_FAILURE and a message if not.
void report_files_check_redact(const struct report_files *files, const char *format);
void report_files_free(struct report_files *files);

#endif
