// What the parts of the pprof renderer share with each other only.
//
// Source: github.com/google/pprof, proto/profile.proto; the numbers of fields are from there.
#ifndef UNCLOSED_REPORT_RENDER_PPROF_PPROF_H
#define UNCLOSED_REPORT_RENDER_PPROF_PPROF_H

#include "report/code/map.h"
#include "report/profile/profile.h"
#include "report/render/pprof/wire.h"

enum { // fields of a profile
    PROFILE_SAMPLE_TYPE = 1,
    PROFILE_SAMPLE = 2,
    PROFILE_MAPPING = 3,
    PROFILE_LOCATION = 4,
    PROFILE_FUNCTION = 5,
    PROFILE_STRING = 6,
    PROFILE_TIME = 9,
    PROFILE_DURATION = 10,
    PROFILE_COMMENT = 13,
    PROFILE_DEFAULT = 14,
};

enum pprof_value { // the order of a sample's values
    PPROF_NEVER_CLOSED = 0,
    PPROF_HELD,
    PPROF_HOLD_TIME,
    PPROF_OPENED,
    PPROF_WAITS,
    PPROF_VALUES,
};

struct pprof_labels { // NULL or "": not known
    const char *kind, *pool, *thread, *test;
};

struct pprof {
    const struct profile *profile;
    struct wire out;                                    // the profile
    struct map strings, functions, locations, mappings; // their numbers, as uintptr_t
    uint64_t string_count, function_count, location_count, mapping_count;
    struct wire inner, innermost; // kept for their memory
};

// encode.c: the number of a text; 0: an empty one.
uint64_t pprof_string(struct pprof *pprof, const char *text);
// stack: NULL or empty is one frame that says so.
void pprof_sample(struct pprof *pprof, const struct frames *stack,
                  const uint64_t values[PPROF_VALUES], const struct pprof_labels *labels);

// samples.c: all of them.
void pprof_add_samples(struct pprof *pprof);

#endif
