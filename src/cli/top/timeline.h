// How many sessions were out over time, as a line of characters of rising height: from the start of
// the process on the left to now, or its end, on the right.
//
// Knows what the trace has of that; not where it is shown. Not thread-safe.
#ifndef UNCLOSED_CLI_TOP_TIMELINE_H
#define UNCLOSED_CLI_TOP_TIMELINE_H

#include "report/profile/profile.h"

// Of a site: the smallest number out in each stretch of time, which a leak makes grow and traffic
// does not. Blank before the first acquire.
const char *top_timeline_site(struct arena *arena, const struct profile_site *site,
                              unsigned columns);
// Of a pool: the largest number out in each stretch.
const char *top_timeline_pool(struct arena *arena, const struct profile_pool *pool,
                              unsigned columns);

#endif
