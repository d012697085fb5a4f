// Comparing two runs: which sites leak anew, no longer, more, or less.
//
// An old entry is found again in at most one new one: first exactly, then in another file. Whatever
// could be two things counts as new: a leak too many is looked at, one too few is not.
#ifndef UNCLOSED_REPORT_COMPARE_COMPARE_H
#define UNCLOSED_REPORT_COMPARE_COMPARE_H

#include "report/compare/entry.h"

struct change {
    enum profile_change change;
    const struct entry *before, *after; // NULL: none, or it is not known which
    bool moved;                         // to another file
    unsigned outcomes;                  // PROFILE_WORSE: those that are new
};

struct comparison {
    const struct entries *before, *after;
    LIST(struct change) changes; // of sites that leak or leaked: new, worse, better, known, gone
    size_t count[PROFILE_CHANGES];
};

// Lives as long as the arena and both entries.
struct comparison *compare(struct arena *arena, const struct entries *before,
                           const struct entries *after);

#endif
