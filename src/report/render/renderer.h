// Renderers: each prints a profile in one format.
//
// A new format is a file or folder here with its functions, their names below, and one line in
// renderers.c; `--format`, its help and its messages follow from that line. Renderers know the
// profile: neither traces, nor requests, nor each other.
#ifndef UNCLOSED_REPORT_RENDER_RENDERER_H
#define UNCLOSED_REPORT_RENDER_RENDERER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "report/profile/groups.h"
#include "report/profile/profile.h"

// What to show of a profile. A renderer takes no notice of what its format has no place for.
struct render_options {
    enum group_by group_by;
    unsigned limit;  // entries to list; 0: all
    bool all_frames; // whole stacks, library and interpreter frames included
    bool blind_told; // what the profile's maker was told was not seen has been said already
    // Absolute path of the folder that keys and SARIF name files from, without a slash at its end;
    // NULL: see site_key.h.
    const char *root;
    const char *const *redact; // what the page leaves out: see html/redact.h
    size_t redact_count;
};

// Prints to `out`; errors of writing are left in ferror(out). Not thread-safe.
typedef void render(const struct profile *profile, const struct render_options *options, FILE *out);

// Writes to the file `path` itself, which may be there: the format is no stream. Result: NULL, or
// why it could not, in a few words (static, or as long as the profile). Not thread-safe.
typedef const char *render_file(const struct profile *profile, const struct render_options *options,
                                const char *path);

enum renderer_output {
    RENDERER_PEOPLE, // text to read, in the characters of the locale
    RENDERER_UTF8,   // text for programs
    RENDERER_BINARY, // not for a terminal: report_print refuses to write it to one
};

struct renderer {
    const char *name; // as in --format
    const char *help; // what it is for, in a few words that follow the name
    enum renderer_output output;
    render *report;    // the whole report; NULL: to a file only
    render *held;      // the sessions that are out, oldest first; NULL: not in this format
    render_file *file; // the whole report; NULL: what `report` prints is the file
};

// All renderers; the first one is the default.
extern const struct renderer renderers[];
extern const size_t renderer_count;

// name: NULL for the default. Result: NULL if there is none of that name.
const struct renderer *renderer_find(const char *name);

// Why this build of unclosed does not have a renderer, and what helps; NULL: it does.
const char *renderer_missing(const struct renderer *renderer);

render html_report;
const char *html_missing(void); // see renderer_missing
render text_report, text_held;
render json_report, json_held;
render csv_report, csv_held;
render folded_report;
render markdown_report;
render openmetrics_report;
render sarif_report;
render supp_report;
render junit_report;
render pprof_report;
render speedscope_report;
render_file junit_merge;
render_file sqlite_file;

#endif
