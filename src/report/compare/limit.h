// Limits: how many sessions may be left unclosed, and how long one may be held.
//
// "5" is for all sessions together, "pool:PATTERN=5" for each pool whose name the pattern fits,
// "test:PATTERN=5" for each test; patterns are those of suppressions. Knows profiles; nothing of
// command lines. Not thread-safe.
#ifndef UNCLOSED_REPORT_COMPARE_LIMIT_H
#define UNCLOSED_REPORT_COMPARE_LIMIT_H

#include "report/profile/profile.h"

enum limit_of { LIMIT_ALL, LIMIT_POOL, LIMIT_TEST };

struct limit {
    enum limit_of of;
    const char *pattern; // "" for all
    bool held;           // `most` is a time in ns, else a number of sessions never closed
    uint64_t most;
};

typedef LIST(struct limit) limit_list;

// Parses a limit. text: lives as long as the result; arena: so does what is in it.
// Result: NULL, or what was expected.
const char *limit_parse(struct arena *arena, const char *text, bool held, struct limit *limit);

// Fills in profile->excesses: what is beyond these limits. Of tests, sessions count that were never
// closed; a process that is itself a test is one.
void limits_check(struct profile *profile, const limit_list *limits);

#endif
