// Never-closed sessions put together by file, thread, pool or test.
//
// Knows the profile and no renderer. Not thread-safe.
#ifndef UNCLOSED_REPORT_PROFILE_GROUPS_H
#define UNCLOSED_REPORT_PROFILE_GROUPS_H

#include "report/profile/profile.h"
#include "report/report.h"

struct group {
    const char *name;
    uint64_t never_closed;
    uint64_t opened; // 0: not known (the trace tells the threads of open ones only)
    uint64_t longest_ns;
    profile_holders holders; // sites with their number of never-closed sessions
};

struct groups {
    struct group *item; // worst first
    size_t count, room;
};

// The groups live as long as the profile.
struct groups groups_of(const struct profile *profile, enum report_group by);

#endif
