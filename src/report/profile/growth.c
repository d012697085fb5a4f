// How many sessions of a site were out over time: the timelines of its stacks and processes,
// brought to one grid and added up. See profile.h and struct trace_growth.
#include "report/profile/build.h"

// Beyond that a trace is damaged; sums of such times do not overflow.
static const uint64_t longest_ns = UINT64_C(1) << 60;

// A site's timeline in its own time: from its first acquire on.
static uint64_t width_of(const struct trace_site *record)
{
    return (uint64_t)record->growth.width * TRACE_GROWTH_UNIT_NS;
}

// How long the site was looked at: to the end, or to the beginning of interpreter shutdown.
static uint64_t length_of(const struct source *source, const struct trace_site *record)
{
    uint64_t end = source->trace->header.shutdown_ns;
    if (end == 0)
        end = source->trace->end_ns;
    return end > record->first_ns ? end - record->first_ns : 0;
}

static bool is_known(const struct source *source, const struct trace_site *record)
{
    return record->growth.width > 0 && length_of(source, record) < longest_ns &&
           source->trace->header.start_realtime < longest_ns * 4 &&
           profile_since_start(source, record->first_ns) < longest_ns;
}

// The moment of the first acquire, counted from the start of the process that `growth` counts from.
static int64_t offset_of(const struct profile_growth *growth, const struct source *source,
                         const struct trace_site *record)
{
    int64_t start =
        (int64_t)(source->trace->header.start_realtime - growth->process->header->start_realtime);
    return start + (int64_t)profile_since_start(source, record->first_ns);
}

static void widen(struct profile_growth *growth)
{
    while ((growth->end_ns - 1) / growth->width_ns >= TRACE_GROWTH_BUCKETS)
        growth->width_ns *= 2;
    growth->count = (unsigned)((growth->end_ns - 1) / growth->width_ns) + 1;
}

void profile_growth_extend(struct profile_growth *growth, const struct source *source,
                           const struct trace_site *record)
{
    if (!is_known(source, record))
        return;
    if (!growth->process) {
        growth->process = source->process;
        growth->origin_ns = offset_of(growth, source, record);
    }
    int64_t begin = offset_of(growth, source, record);
    if (begin < growth->origin_ns) {
        growth->end_ns += (uint64_t)(growth->origin_ns - begin);
        growth->origin_ns = begin;
    }
    uint64_t end = (uint64_t)(begin - growth->origin_ns) + length_of(source, record);
    if (growth->end_ns < end)
        growth->end_ns = end;
    if (growth->end_ns == 0)
        growth->end_ns = 1;
    if (growth->width_ns < width_of(record))
        growth->width_ns = width_of(record);
    widen(growth);
}

// What was out at the end: interpreter shutdown closed it after that.
static uint64_t out_at_end(const struct trace_site *record)
{
    return record->out + record->ended[TRACE_SHUTDOWN];
}

static uint64_t bucket(const struct trace_site *record, uint64_t i)
{
    uint64_t least = record->growth.least_out[i];
    // The first session that shutdown closes is what shows that it has begun: it is in here.
    bool spoilt = record->ended[TRACE_SHUTDOWN] > 0 && i == record->growth.reached &&
                  least + 1 == out_at_end(record);
    return least + spoilt;
}

// The smallest number that was out at once in [from, to) after the first acquire.
static uint64_t least_out(const struct trace_site *record, uint64_t from, uint64_t to)
{
    uint64_t reached = record->growth.reached;
    uint64_t first = from / width_of(record);
    uint64_t last = (to - 1) / width_of(record);
    uint64_t least = last <= reached ? UINT64_MAX : out_at_end(record);
    for (uint64_t i = first; i <= last && i <= reached; i++)
        if (bucket(record, i) < least)
            least = bucket(record, i);
    return least;
}

void profile_growth_add(struct profile_growth *growth, const struct source *source,
                        const struct trace_site *record)
{
    if (!is_known(source, record))
        return;
    uint64_t begin = (uint64_t)(offset_of(growth, source, record) - growth->origin_ns);
    uint64_t end = begin + length_of(source, record);
    // Sessions end with their process, but where all end together there is nothing to compare.
    bool lasts = end + 2 * growth->width_ns >= growth->end_ns;
    for (unsigned i = 0; i < growth->count; i++) {
        uint64_t from = i * growth->width_ns;
        uint64_t to = from + growth->width_ns;
        if (to > end)
            growth->least_out[i] += lasts ? out_at_end(record) : 0;
        else if (from >= begin)
            growth->least_out[i] += least_out(record, from - begin, to - begin);
    }
}

bool profile_grows(const struct profile_growth *growth)
{
    enum { POINTS = 8, RISE = 3, RISES_PER_FALL = 8 };
    if (growth->width_ns == 0 || growth->count <= POINTS)
        return false;
    unsigned count = growth->count - 1; // the last number is no smallest one
    uint64_t first = growth->least_out[0];
    uint64_t middle = growth->least_out[count / 2];
    uint64_t last = growth->least_out[count - 1];
    uint64_t falls = 0;
    for (unsigned i = 1; i < count; i++)
        if (growth->least_out[i] < growth->least_out[i - 1])
            falls += growth->least_out[i - 1] - growth->least_out[i];
    return middle > first && last > middle && last - first >= RISE &&
           falls <= (last - first) / RISES_PER_FALL;
}
