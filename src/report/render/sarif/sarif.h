// What the parts of the SARIF renderer share with each other only.
//
// Source: "Static Analysis Results Interchange Format (SARIF) Version 2.1.0", OASIS, 2020.
#ifndef UNCLOSED_REPORT_RENDER_SARIF_SARIF_H
#define UNCLOSED_REPORT_RENDER_SARIF_SARIF_H

#include <jansson.h>

#include "report/profile/profile.h"
#include "report/profile/site_key.h"
#include "report/render/renderer.h"
#include "report/render/tallies.h"

enum {
    SARIF_RESULTS = 5000, // what code hosts keep of one run
    SARIF_FRAMES = 100,   // what they show of one result's locations
    SARIF_TEXT = 1000,    // bytes of one text of the trace
};

// Rules besides the findings.
enum { SARIF_RULE_MISUSE = FINDINGS, SARIF_RULES = FINDINGS + 3 };

struct sarif {
    const struct profile *profile;
    const struct render_options *options;
    const char *root;            // %SRCROOT%, without a slash at its end; "": there is none
    const struct site_key *keys; // of the sites, in their order
    // What is not among the results, of the sites that have something to tell:
    size_t left_out;
    uint64_t left_out_never_closed[TRACE_KINDS];
    size_t beyond; // ... of these, those that are too many
};

// results.c: one for each site that leaks and each misuse.
json_t *sarif_results(struct sarif *sarif);
// rules.c: an array in the order of their indexes.
json_t *sarif_rules(void);
const char *sarif_rule_id(size_t rule);
bool sarif_rule_is_error(size_t rule);

// {"text": ...}: a sentence of ours that may hold texts of the trace. Braces and links, which would
// mean something, are escaped.
json_t *sarif_message(struct arena *arena, const char *text);

// places.c: whether a file of this frame is below the root.
bool sarif_is_inside(const struct sarif *sarif, const struct frame *frame, const char *directory);
// A location object. code: the line of source, "" for none.
json_t *sarif_location(const struct sarif *sarif, const struct frame *frame, const char *directory,
                       const char *code);
// "file:///...": absolute path as a URI; with a slash at its end if it is a folder.
const char *sarif_uri(struct arena *arena, const char *path, bool folder);

#endif
