// The entry to `unclosed diff`: two sides, each a trace, a folder of traces, a process, a JSON
// report or a baseline, and what leaks on one and not on the other.
#ifndef UNCLOSED_REPORT_DIFF_H
#define UNCLOSED_REPORT_DIFF_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

struct diff_request {
    const char *before, *after; // names of the two sides
    const char *format;         // "text" or "json"; NULL: text
    unsigned limit;             // changes to list; 0: all
};

struct diff_outcome {
    size_t new_sites, worse, better, gone, known;
    size_t blind; // what sessions may have gone unseen by, on both sides
};

// Whether there is a format of that name for comparisons.
bool diff_has_format(const char *name);

// Prints the comparison on `out`; what is wrong with a side goes to standard error, one line each.
// outcome: filled in if the result is 0. Result: 0, or REPORT_FAILURE (a message was printed).
// Not thread-safe.
int diff_print(const struct diff_request *request, FILE *out, struct diff_outcome *outcome);

#endif
