// The entry to reports: from the names of traces, folders and processes to what a user reads.
//
// Whoever prints a report (`unclosed report`, `unclosed run` at its end) fills in a request and
// calls report_print; everything else in this folder is behind it. Knows nothing of the recorder
// beyond the trace format, and nothing of command lines.
#ifndef UNCLOSED_REPORT_REPORT_H
#define UNCLOSED_REPORT_REPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "report/code/now.h"
#include "report/compare/limit.h"
#include "report/profile/suppressions.h"
#include "report/render/renderer.h"

enum { REPORT_DEFAULT_LIMIT = 10, REPORT_FAILURE = MEMORY_FAILURE };

// The same report in another format, to a file.
struct report_file {
    const char *format; // the name of a renderer
    const char *path;   // made or replaced; a format that adds to its file (sqlite) says so
};

struct report_request {
    const char *const *sources; // trace files, folders, or process ids in decimal
    size_t source_count;
    const char *format; // the name of a renderer; NULL: the default
    struct render_options render;
    const struct report_file *files; // written besides, in this order
    size_t file_count;
    const struct profile_blind *blind; // what the caller knows was not seen; added to the profile
    size_t blind_count;
    struct suppressions *suppressions; // what is not counted, see suppressions.h; NULL: nothing is
    uint64_t threshold_ns;             // judge only sessions held longer than this; 0: all
    uint64_t run_id;                   // only traces with this trace_header.run_id; 0: all
    now_look *look;           // held: asks where the holders are now; NULL: nobody is asked
    bool none_is_fine;        // a folder without traces is an empty report, not a failure
    const limit_list *limits; // see limit.h; NULL: none
    const char *baseline;     // file of known leaks to compare with, see baseline.h; NULL: none
    bool update_baseline;     // write it instead
};

struct report_outcome {
    uint64_t never_closed; // sessions judged never closed, after threshold
    uint64_t unexpected;   // of these, those that neither the baseline nor a limit excuses
    size_t excesses;       // limits that were exceeded
    uint64_t late;         // sessions released, but held longer than threshold_ns (at least)
    uint64_t blind;        // things that sessions may have gone unseen by, the caller's included
    unsigned traces;       // traces read
    unsigned problems;     // messages printed about traces that are damaged or cannot be read
};

// Reads the traces, prints a report on `out` (NULL: nowhere) and writes the files; what is wrong
// with a trace goes to standard error, one line each, with the thing, the reason and the remedy.
// The colours and the width of text follow the terminal that `out` is, if it is one, and NO_COLOR.
// outcome: filled in also on failure; may be NULL.
// Result: 0, or REPORT_FAILURE if nothing could be reported or a file could not be written (the
// message is then printed already; the other files are written all the same).
// Not thread-safe: one report at a time.
int report_print(const struct report_request *request, FILE *out, struct report_outcome *outcome);

// Prints the sessions that are out (at the end of ended processes), oldest first. request: as for
// report_print, except that the renderer must have `held`, and render.limit counts sessions.
int report_print_held(const struct report_request *request, FILE *out,
                      struct report_outcome *outcome);

// Whether there is a renderer of that name.
bool report_has_format(const char *name);

// Why this build does not have that format, though it knows it, and what helps; NULL: it has.
const char *report_format_missing(const char *name);

// Why `item` is nothing that can be left out of a page (render_options.redact); NULL: it is. A
// fault lives to the end.
const char *report_redact_fault(const char *item);

// What keeps a report from being written to `path`, in a few words, or NULL. Nothing is made.
const char *report_file_fault(const char *path);

// The names of all renderers ("text, json"), with what they are for if `help`. Lives to the end.
const char *report_formats(bool help);

#endif
