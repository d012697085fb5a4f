// The report as a profile for pprof, compressed. See pprof.h.
#include "report/render/pprof/pprof.h"

#include <stdlib.h>

#include <zlib.h>

#include "report/render/renderer.h"

static void add_sample_types(struct pprof *pprof)
{
    static const char *const types[PPROF_VALUES][2] = {
        [PPROF_NEVER_CLOSED] = {"never_closed", "count"},
        [PPROF_HELD] = {"held", "count"},
        [PPROF_HOLD_TIME] = {"hold_time", "nanoseconds"},
        [PPROF_OPENED] = {"opened", "count"},
        [PPROF_WAITS] = {"waits", "count"},
    };
    for (int i = 0; i < PPROF_VALUES; i++) {
        wire_number(&pprof->inner, 1, pprof_string(pprof, types[i][0]));
        wire_number(&pprof->inner, 2, pprof_string(pprof, types[i][1]));
        wire_message(&pprof->out, PROFILE_SAMPLE_TYPE, &pprof->inner);
    }
    wire_number(&pprof->out, PROFILE_DEFAULT, pprof_string(pprof, types[0][0]));
}

static void add_times(struct pprof *pprof)
{
    uint64_t first = UINT64_MAX, last = 0;
    for (size_t i = 0; i < pprof->profile->processes.count; i++) {
        const struct profile_process *process = pprof->profile->processes.item[i];
        const uint64_t start = process->header->start_realtime;
        const uint64_t end = start + process->seconds_ns;
        first = start < first ? start : first;
        last = end > last ? end : last;
    }
    if (last <= first)
        return;
    wire_number(&pprof->out, PROFILE_TIME, first & INT64_MAX);
    wire_number(&pprof->out, PROFILE_DURATION, (last - first) & INT64_MAX);
}

// Comments are what `pprof -comments` prints.
static void add_blind(struct pprof *pprof)
{
    for (size_t i = 0; i < pprof->profile->blind.count; i++) {
        const struct profile_blind *blind = pprof->profile->blind.item[i];
        const char *text =
            arena_format(pprof->profile->arena, "not seen: %s%s%s; %s", blind->program,
                         *blind->program ? ": " : "", blind->reason, blind->remedy);
        wire_number(&pprof->out, PROFILE_COMMENT, pprof_string(pprof, text));
    }
}

static void print_compressed(const struct wire *wire, FILE *out)
{
    static const int gzip = 16; // see zlib.h on windowBits
    unsigned char buffer[1 << 16];
    z_stream stream = {.next_in = wire->bytes, .avail_in = (uInt)wire->count};
    if (deflateInit2(&stream, Z_BEST_SPEED, Z_DEFLATED, MAX_WBITS + gzip, 8, Z_DEFAULT_STRATEGY) !=
        Z_OK)
        memory_exhausted();
    int status;
    do {
        stream.next_out = buffer;
        stream.avail_out = sizeof buffer;
        status = deflate(&stream, Z_FINISH);
        fwrite(buffer, 1, sizeof buffer - stream.avail_out, out);
    } while (status == Z_OK || status == Z_BUF_ERROR);
    (void)deflateEnd(&stream);
}

void pprof_report(const struct profile *profile, const struct render_options *options, FILE *out)
{
    struct pprof pprof = {.profile = profile};
    (void)options; // whoever looks at it hides what is not to be seen
    wire_bytes(&pprof.out, PROFILE_STRING, "", 0);
    add_sample_types(&pprof);
    pprof_add_samples(&pprof);
    add_times(&pprof);
    add_blind(&pprof);
    print_compressed(&pprof.out, out);
    map_clear(&pprof.strings);
    map_clear(&pprof.functions);
    map_clear(&pprof.locations);
    map_clear(&pprof.mappings);
    wire_free(&pprof.inner);
    wire_free(&pprof.innermost);
    wire_free(&pprof.out);
}
