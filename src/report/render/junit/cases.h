// What leaked, put together by the test that is to fail for it, with the names that the runners
// use.
//
// Knows the profile; nothing of XML. Not thread-safe.
#ifndef UNCLOSED_REPORT_RENDER_JUNIT_CASES_H
#define UNCLOSED_REPORT_RENDER_JUNIT_CASES_H

#include "report/code/map.h"
#include "report/profile/profile.h"
#include "report/render/renderer.h"

struct junit_leak {
    const struct profile_site *site;
    uint64_t never_closed;
};

struct junit_case {
    const char *classname, *name; // clean
    LIST(struct junit_leak) leaks;
};

struct junit_cases {
    LIST(struct junit_case *) list; // in the order of the sites, the worst first
    struct map by_name;
};

struct junit_cases junit_cases_of(const struct profile *profile);
void junit_cases_free(struct junit_cases *cases);

// What leaked in a case, in one line: "3 handles never closed".
const char *junit_case_message(struct arena *arena, const struct junit_case *found);
// ... and with its places, on several lines. Clean; to be freed.
char *junit_case_text(const struct profile *profile, const struct junit_case *found);

#endif
