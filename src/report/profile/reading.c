// From trace files to a profile: see reading.h.
#include "report/profile/reading.h"

#include <errno.h>

static bool add_trace(const struct reading *reading, struct profile_builder *builder,
                      const struct trace_source *source)
{
    struct trace_reader *trace = NULL;
    int error = reader_open(source->path, source->pid, &trace);
    if (error == -ENOMEM && !trace)
        memory_exhausted();
    for (size_t i = 0; i < trace->problem_count; i++)
        reading->complain(reading->data, trace->problems[i]);
    if (error < 0 || (reading->run_id && trace->header.run_id != reading->run_id)) {
        reader_close(trace);
        return false;
    }
    profile_add(builder, trace);
    return true;
}

struct profile *reading_profile(const struct reading *reading, unsigned *traces)
{
    struct profile_builder *builder = profile_begin(reading->threshold_ns, reading->cache);
    const struct profile_asking asking = {reading->look, reading->complain, reading->data};
    profile_ask(builder, &asking);
    for (size_t i = 0; i < reading->blind_count; i++)
        profile_add_blind(builder, &reading->blind[i]);
    profile_suppress(builder, reading->suppressions);
    *traces = 0;
    for (size_t i = 0; i < reading->sources->list.count; i++)
        *traces += add_trace(reading, builder, &reading->sources->list.item[i]);
    return profile_finish(builder);
}
