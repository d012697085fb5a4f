// Never-closed sessions put together by file, thread, pool or test.
//
// Knows the profile and no renderer. Not thread-safe.
#ifndef UNCLOSED_REPORT_PROFILE_GROUPS_H
#define UNCLOSED_REPORT_PROFILE_GROUPS_H

#include "report/profile/profile.h"

enum group_by {
    GROUP_BY_SITE = 0,
    GROUP_BY_FILE,
    GROUP_BY_THREAD,
    GROUP_BY_POOL,
    GROUP_BY_TEST,
};

// The number behind the name of a group ("site", "file", ...), or -1.
int group_by_name(const char *name);

struct group {
    const char *name; // as the trace has it: not fit for a terminal
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
struct groups groups_of(const struct profile *profile, enum group_by by);

#endif
