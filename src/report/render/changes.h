// Printing what changed between two runs: for `unclosed diff`, and for reports with a baseline.
#ifndef UNCLOSED_REPORT_RENDER_CHANGES_H
#define UNCLOSED_REPORT_RENDER_CHANGES_H

#include <jansson.h>
#include <stdio.h>

#include "report/compare/compare.h"
#include "report/render/text/sheet.h"

// "new", "worse", "better", "known", "gone": also what JSON says.
const char *change_name(enum profile_change change);

// "1 new, 2 worse, 3 known": of those that there are, or "nothing leaks". Lives as long as the
// arena. all: even those that are 0.
const char *change_counts(struct arena *arena, const struct comparison *comparison, bool all);

// The changes, but what is known, as text; at most `limit` (0: all), and how many more there are.
void text_changes(const struct sheet *sheet, const struct comparison *comparison, unsigned limit);
// All of `unclosed diff`; the last line begins with "SUMMARY:".
void text_diff(struct arena *arena, const struct comparison *comparison, unsigned limit, FILE *out);

// "counts" by name, and the list "changes" (gone_only: "gone") of objects with the site and its
// numbers before and after.
json_t *json_changes(const struct comparison *comparison, bool gone_only);
// All of `unclosed diff`, schema 1.
void json_diff(const struct comparison *comparison, FILE *out);

#endif
