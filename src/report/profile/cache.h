// What naming the sites of traces costs, kept for when they are read again: resolved stacks,
// symbols, source text.
//
// For whoever looks at a live process every second (`unclosed top`). It changes how long a profile
// takes and nothing of what is in it. Not thread-safe.
#ifndef UNCLOSED_REPORT_PROFILE_CACHE_H
#define UNCLOSED_REPORT_PROFILE_CACHE_H

#include "report/code/code_text.h"
#include "report/code/frames.h"

struct profile_cache; // opaque

struct profile_cache *profile_cache_new(void);
// Not before all profiles that were built with it. NULL is fine.
void profile_cache_free(struct profile_cache *cache);

// For the builder of profiles.
struct symbols *profile_cache_symbols(struct profile_cache *cache);
struct code_text *profile_cache_code(struct profile_cache *cache);
// The stacks of a trace; those of an earlier reading of the same trace are still resolved.
struct frames_reader *profile_cache_frames(struct profile_cache *cache,
                                           const struct trace_reader *trace);

#endif
