// Baselines: the leaks that are known, in a file that is kept with the source.
//
// The file is sorted JSON, one site a line, so that it can be reviewed and merged: no times, no
// numbers of sessions, no texts from between quotes, no absolute paths.
#ifndef UNCLOSED_REPORT_COMPARE_BASELINE_H
#define UNCLOSED_REPORT_COMPARE_BASELINE_H

#include "report/compare/compare.h"

// Compares a profile with the baseline `path`: fills in profile->comparison and what its sites are
// since. root: as for site_keys_make.
// Result: NULL, or one sentence without the name of the file that says why not.
const char *baseline_compare(struct profile *profile, const char *root, const char *path);

// Writes the sites of a profile that leak, in place of the file (a link stays one).
// count: set to their number. Result: as above.
const char *baseline_write(struct profile *profile, const char *root, const char *path,
                           size_t *count);

// Whether the file is a baseline. Result: as above.
const char *baseline_fault(struct arena *arena, const char *path);

#endif
