// From a request to a printed report: see report.h.
#include "report/report.h"

#include <string.h>

#include "report/profile/reading.h"
#include "report/render/render.h"

// A new format is one file and one line here.
static const struct renderer {
    const char *name;
    void (*print)(const struct profile *profile, const struct report_request *request, FILE *out);
} renderers[] = {
    {"text", render_text},
    {"json", render_json},
};

// What `held` prints.
static const struct renderer held_renderers[] = {
    {"text", render_held_text},
    {"json", render_held_json},
};

enum { HELD_RENDERERS = sizeof held_renderers / sizeof held_renderers[0] };
enum { RENDERERS = sizeof renderers / sizeof renderers[0] };

static const struct renderer *find_renderer(const struct renderer *table, size_t count,
                                            const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(table[i].name, name ? name : "text") == 0)
            return &table[i];
    return NULL;
}

bool report_has_format(const char *name)
{
    return name && find_renderer(renderers, RENDERERS, name);
}

const char *report_formats(void)
{
    static char names[RENDERERS * 16];
    size_t used = 0;
    for (size_t i = 0; i < RENDERERS; i++)
        used += (size_t)snprintf(names + used, sizeof names - used, "%s%s", i > 0 ? ", " : "",
                                 renderers[i].name);
    return names;
}

int report_group_by_name(const char *name)
{
    static const char *const names[] = {
        [REPORT_BY_SITE] = "site", [REPORT_BY_FILE] = "file", [REPORT_BY_THREAD] = "thread",
        [REPORT_BY_POOL] = "pool", [REPORT_BY_TEST] = "test",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i], name) == 0)
            return (int)i;
    return -1;
}

static void complain(void *data, const char *message)
{
    struct report_outcome *outcome = data;
    fprintf(stderr, "unclosed: %s\n", message);
    outcome->problems++;
}

// Reads the traces into a profile. `complete` in the request's own terms: what cannot be read is
// told and left out.
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

static int print(const struct renderer *renderer, const struct report_request *request, FILE *out,
                 struct report_outcome *outcome)
{
    struct report_outcome ignored;
    if (!outcome)
        outcome = &ignored;
    *outcome = (struct report_outcome){0};
    if (!renderer) {
        fprintf(stderr, "unclosed: there is no format \"%s\" for this\n", request->format);
        return REPORT_FAILURE;
    }
    struct profile *profile = read_traces(request, outcome);
    int result = 0;
    if (outcome->traces == 0 && !request->none_is_fine) {
        result = REPORT_FAILURE;
    } else {
        renderer->print(profile, request, out);
        outcome->never_closed = profile->total.never_closed;
        outcome->late = profile->total.late;
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
    return print(find_renderer(renderers, RENDERERS, request->format), request, out, outcome);
}

int report_print_held(const struct report_request *request, FILE *out,
                      struct report_outcome *outcome)
{
    return print(find_renderer(held_renderers, HELD_RENDERERS, request->format), request, out,
                 outcome);
}
