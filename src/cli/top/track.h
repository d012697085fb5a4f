// What one site or pool counted over the last minute: samples, and what follows from them.
//
// Knows numbers and moments only. Not thread-safe.
#ifndef UNCLOSED_CLI_TOP_TRACK_H
#define UNCLOSED_CLI_TOP_TRACK_H

#include <stddef.h>
#include <stdint.h>

enum { TOP_SAMPLES = 72 }; // one a second over TOP_GROWTH_NS, and some to spare

struct top_track { // {0} is an empty one
    struct top_sample {
        uint64_t at_ns, held, opened;
    } sample[TOP_SAMPLES]; // oldest first
    size_t count;
};

// Adds what is counted at a moment, which is not before that of the last sample.
void top_track_add(struct top_track *track, uint64_t at_ns, uint64_t held, uint64_t opened);

// How many more are held now than TOP_GROWTH_NS ago, or than when one first looked.
int64_t top_track_growth(const struct top_track *track, uint64_t now_ns);

// Opened per second in the last TOP_RATE_NS, or since one first looked; 0 if that is now.
double top_track_rate(const struct top_track *track, uint64_t now_ns);

// How long ago the sample is that numbers over the last `ns` are counted from.
uint64_t top_track_span(const struct top_track *track, uint64_t now_ns, uint64_t ns);

#endif
