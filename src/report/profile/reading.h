// From trace files to a profile. Knows neither requests nor renderers. Not thread-safe.
#ifndef UNCLOSED_REPORT_PROFILE_READING_H
#define UNCLOSED_REPORT_PROFILE_READING_H

#include "report/profile/profile.h"
#include "report/profile/sources.h"

struct reading {
    const struct trace_sources *sources;
    uint64_t threshold_ns;             // as in struct report_request
    uint64_t run_id;                   // as in struct report_request
    const struct profile_blind *blind; // as in struct report_request
    size_t blind_count;
    struct suppressions *suppressions; // as in struct report_request
    struct profile_cache *cache;       // outlives the profile; or NULL, see profile_begin
    now_look *look;                    // as in struct report_request
    // Takes one message for each fault of a trace. It lives only during the call.
    void (*complain)(void *data, const char *message);
    void *data; // for it
};

// Reads the traces. What cannot be read is reported and left out.
// traces: the number of those read. Result: never NULL.
struct profile *reading_profile(const struct reading *reading, unsigned *traces);

#endif
