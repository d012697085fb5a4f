// From a request to a printed report: see report.h.
#include "report/report.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "report/profile/reading.h"
#include "report/render/text/clean_stream.h"
#include "shared/clean.h"

bool report_has_format(const char *name)
{
    return name && renderer_find(name);
}

const char *report_formats(bool help)
{
    static char *made[2];
    size_t bytes = 0;
    FILE *out = made[help] ? NULL : open_memstream(&made[help], &bytes);
    for (size_t i = 0; out && i < renderer_count; i++)
        fprintf(out, "%s%s%s%s%s", i > 0 ? ", " : "", renderers[i].name, help ? " (" : "",
                help ? renderers[i].help : "", help ? i == 0 ? "; the default)" : ")" : "");
    if (out && fclose(out) != 0)
        memory_exhausted();
    return made[help] ? made[help] : "";
}

static void complain(void *data, const char *message)
{
    struct report_outcome *outcome = data;
    char *line = strdup(message);
    if (!line)
        memory_exhausted();
    clean_text(line); // names of files are in it
    fprintf(stderr, "unclosed: %s\n", line);
    free(line);
    outcome->problems++;
}

// Reads the traces into a profile. `complete` in the request's own terms: what cannot be read is
// reported and left out.
static struct profile *read_traces(const struct report_request *request,
                                   struct report_outcome *outcome)
{
    struct trace_sources sources = {.arena = arena_new()};
    for (size_t i = 0; i < request->source_count; i++)
        trace_sources_add(&sources, request->sources[i], request->none_is_fine);
    if (request->source_count == 0)
        trace_sources_add(&sources, ".", request->none_is_fine);
    for (size_t i = 0; i < sources.problems.count; i++)
        complain(outcome, sources.problems.item[i]);
    const struct reading reading = {
        .sources = &sources,
        .threshold_ns = request->threshold_ns,
        .run_id = request->run_id,
        .look = request->look,
        .complain = complain,
        .data = outcome,
    };
    struct profile *profile = reading_profile(&reading, &outcome->traces);
    arena_free(sources.arena);
    return profile;
}

// Why the format cannot be printed to `out`, with what helps; or NULL.
static const char *refusal(const struct renderer *renderer, render *function, FILE *out)
{
    if (!renderer)
        return "there is no such format";
    if (!function)
        return "this cannot be printed in that format; use --format=json";
    if (renderer->output == RENDERER_BINARY && isatty(fileno(clean_stream_under(out))))
        return "this format is not for a terminal; write it to a file with -o FILE";
    return NULL;
}

static int print(const struct renderer *renderer, render *function,
                 const struct report_request *request, FILE *out, struct report_outcome *outcome)
{
    struct report_outcome ignored;
    if (!outcome)
        outcome = &ignored;
    *outcome = (struct report_outcome){0};
    const char *refused = refusal(renderer, function, out);
    if (refused) {
        fprintf(stderr, "unclosed: --format=%s: %s\n", request->format, refused);
        return REPORT_FAILURE;
    }
    struct profile *profile = read_traces(request, outcome);
    int result = 0;
    if (outcome->traces == 0 && !request->none_is_fine) {
        result = REPORT_FAILURE;
    } else {
        clean_stream_for_people(out, renderer->output == RENDERER_PEOPLE);
        function(profile, &request->render,
                 renderer->output == RENDERER_BINARY ? clean_stream_under(out) : out);
        outcome->never_closed = profile->total.never_closed;
        outcome->late = profile->total.late;
        outcome->blind = profile->blind.count;
    }
    profile_free(profile);
    if (result == 0 && (fflush(out) != 0 || ferror(out))) {
        complain(outcome, "the report cannot be written (is the disk full?)");
        result = REPORT_FAILURE;
    }
    return result;
}

int report_print(const struct report_request *request, FILE *out, struct report_outcome *outcome)
{
    const struct renderer *renderer = renderer_find(request->format);
    return print(renderer, renderer ? renderer->report : NULL, request, out, outcome);
}

int report_print_held(const struct report_request *request, FILE *out,
                      struct report_outcome *outcome)
{
    const struct renderer *renderer = renderer_find(request->format);
    return print(renderer, renderer ? renderer->held : NULL, request, out, outcome);
}
