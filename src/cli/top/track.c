// Samples of a site or pool: see track.h.
#include "cli/top/track.h"

#include <string.h>

#include "cli/top/model.h"

// Samples closer than this take the place of each other, so that a minute fits at any interval.
#define APART_NS (TOP_GROWTH_NS / 64)

void top_track_add(struct top_track *track, uint64_t at_ns, uint64_t held, uint64_t opened)
{
    struct top_sample *sample = track->sample;
    size_t count = track->count;
    if (count >= 2 && sample[count - 1].at_ns - sample[count - 2].at_ns < APART_NS) {
        count--;
    } else if (count == TOP_SAMPLES) {
        count--;
        memmove(sample, sample + 1, count * sizeof *sample);
    }
    sample[count] = (struct top_sample){at_ns, held, opened};
    track->count = count + 1;
}

// The newest sample that is at least `ns` old, else the oldest one. There is one.
static const struct top_sample *sample_before(const struct top_track *track, uint64_t now_ns,
                                              uint64_t ns)
{
    size_t i = track->count - 1;
    while (i > 0 && now_ns - track->sample[i].at_ns < ns)
        i--;
    return &track->sample[i];
}

uint64_t top_track_span(const struct top_track *track, uint64_t now_ns, uint64_t ns)
{
    return track->count ? now_ns - sample_before(track, now_ns, ns)->at_ns : 0;
}

int64_t top_track_growth(const struct top_track *track, uint64_t now_ns)
{
    if (track->count == 0)
        return 0;
    const struct top_sample *before = sample_before(track, now_ns, TOP_GROWTH_NS);
    return (int64_t)(track->sample[track->count - 1].held - before->held);
}

double top_track_rate(const struct top_track *track, uint64_t now_ns)
{
    if (track->count == 0)
        return 0;
    const struct top_sample *before = sample_before(track, now_ns, TOP_RATE_NS);
    const struct top_sample *last = &track->sample[track->count - 1];
    if (last->at_ns <= before->at_ns || last->opened < before->opened)
        return 0;
    return (double)(last->opened - before->opened) /
           ((double)(last->at_ns - before->at_ns) / (double)TOP_SECOND);
}
