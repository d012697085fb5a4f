// From a request to a printed report: see report.h.
#include "report/report.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "report/code/source_root.h"
#include "report/compare/baseline.h"
#include "report/profile/reading.h"
#include "report/render/html/redact.h"
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
    for (size_t i = 0; i < sources.problems.count; i++)
        complain(outcome, sources.problems.item[i]);
    const struct reading reading = {
        .sources = &sources,
        .threshold_ns = request->threshold_ns,
        .run_id = request->run_id,
        .suppressions = request->suppressions,
        .blind = request->blind,
        .blind_count = request->blind_count,
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
    if (renderer_missing(renderer))
        return renderer_missing(renderer);
    if (renderer->file)
        return "this format is a file of its own; name it with -o FILE";
    if (!function)
        return "this cannot be printed in that format; use --format=json";
    if (renderer->output == RENDERER_BINARY && isatty(fileno(clean_stream_under(out))))
        return "this format is not for a terminal; write it to a file with -o FILE";
    return NULL;
}

const char *report_format_missing(const char *name)
{
    const struct renderer *renderer = renderer_find(name);
    return renderer ? renderer_missing(renderer) : NULL;
}

const char *report_redact_fault(const char *item)
{
    char *fault;
    redaction_free(redaction_new(&item, 1, &fault));
    return fault;
}

const char *report_file_fault(const char *path)
{
    struct stat status;
    if (!*path)
        return "the name is empty";
    if (stat(path, &status) == 0)
        return S_ISDIR(status.st_mode)   ? "it is a folder"
               : access(path, W_OK) == 0 ? NULL
                                         : strerror(errno);
    if (errno != ENOENT)
        return strerror(errno);
    const char *name = strrchr(path, '/');
    char *folder = name ? strndup(path, (size_t)(name - path + 1)) : strdup(".");
    if (!folder)
        memory_exhausted();
    const int error = access(folder, W_OK | X_OK) == 0 ? 0 : errno;
    free(folder);
    return error ? strerror(error) : NULL;
}

// Writes one file. Result: NULL, or what kept it from being written.
static const char *write_file(const struct report_file *file, const struct profile *profile,
                              const struct render_options *options)
{
    const struct renderer *renderer = renderer_find(file->format);
    if (renderer_missing(renderer))
        return renderer_missing(renderer);
    if (renderer->file)
        return renderer->file(profile, options, file->path);
    FILE *out = fopen(file->path, "we");
    if (!out)
        return strerror(errno);
    renderer->report(profile, options, out);
    const bool failed = ferror(out) != 0;
    return fclose(out) != 0 || failed ? strerror(errno) : NULL;
}

static int write_files(const struct report_request *request, const struct profile *profile,
                       struct report_outcome *outcome)
{
    struct render_options options = request->render;
    int result = 0;
    options.blind_told = false;
    for (size_t i = 0; i < request->file_count; i++) {
        const struct report_file *file = &request->files[i];
        const char *fault = write_file(file, profile, &options);
        if (!fault)
            continue;
        complain(outcome,
                 arena_format(profile->arena, "cannot write %s to %s: %s; name another file",
                              file->format, file->path, fault));
        result = REPORT_FAILURE;
    }
    return result;
}

static int fail_on_baseline(const struct profile *profile, const char *path, const char *fault,
                            struct report_outcome *outcome)
{
    complain(outcome, arena_format(profile->arena, "%s: %s", path, fault));
    return REPORT_FAILURE;
}

// A run that may have missed sessions would excuse too much, or forget what is known.
static int update_baseline(const struct report_request *request, struct profile *profile,
                           struct report_outcome *outcome)
{
    size_t count = 0;
    const char *path = request->baseline;
    if (outcome->traces == 0)
        return fail_on_baseline(profile, path, "is left as it was, because nothing was recorded",
                                outcome);
    if (profile->blind.count > 0 || outcome->problems > 0)
        return fail_on_baseline(
            profile, path, "is left as it was, because this run did not see everything", outcome);
    const char *fault = baseline_write(profile, request->render.root, path, &count);
    if (fault)
        return fail_on_baseline(profile, path, fault, outcome);
    char *shown = arena_text(profile->arena, path);
    clean_text(shown);
    fprintf(stderr, "unclosed: %s: %zu %s known from now on\n", shown, count,
            count == 1 ? "leaking site is" : "leaking sites are");
    return 0;
}

// Whether a number of sessions never closed was allowed: it then takes the place of none.
static bool check_limits(const struct report_request *request, struct profile *profile)
{
    bool allowed = false;
    if (!request->limits)
        return false;
    limits_check(profile, request->limits);
    for (size_t i = 0; i < request->limits->count; i++)
        allowed |= !request->limits->item[i].held;
    return allowed;
}

// Tells what is known of the sites from what is not, and counts the latter.
static int judge(const struct report_request *request, struct profile *profile,
                 struct report_outcome *outcome)
{
    outcome->never_closed = outcome->unexpected = profile->total.never_closed;
    outcome->late = profile->total.late;
    outcome->blind = profile->blind.count;
    if (check_limits(request, profile))
        outcome->unexpected = 0;
    outcome->excesses = profile->excesses.count;
    if (!request->baseline)
        return 0;
    if (request->update_baseline) {
        outcome->unexpected = 0;
        return update_baseline(request, profile, outcome);
    }
    const char *fault = baseline_compare(profile, request->render.root, request->baseline);
    if (fault)
        return fail_on_baseline(profile, request->baseline, fault, outcome);
    outcome->unexpected = 0;
    for (size_t i = 0; i < profile->sites.count; i++) {
        const struct profile_site *site = profile->sites.item[i];
        if (site->change == PROFILE_NEW || site->change == PROFILE_WORSE)
            outcome->unexpected += site->tally.never_closed;
    }
    return 0;
}

static int print_on(const struct renderer *renderer, render *function,
                    const struct report_request *request, const struct profile *profile, FILE *out,
                    struct report_outcome *outcome)
{
    clean_stream_for_people(out, renderer->output == RENDERER_PEOPLE);
    function(profile, &request->render,
             renderer->output == RENDERER_BINARY ? clean_stream_under(out) : out);
    if (fflush(out) == 0 && !ferror(out))
        return 0;
    complain(outcome, "the report cannot be written (is the disk full?)");
    return REPORT_FAILURE;
}

static int print(const struct renderer *renderer, render *function,
                 const struct report_request *request, FILE *out, struct report_outcome *outcome)
{
    struct report_outcome ignored;
    if (!outcome)
        outcome = &ignored;
    *outcome = (struct report_outcome){0};
    const char *refused = out ? refusal(renderer, function, out) : NULL;
    if (refused) {
        fprintf(stderr, "unclosed: --format=%s: %s\n", request->format, refused);
        return REPORT_FAILURE;
    }
    struct profile *profile = read_traces(request, outcome);
    int result = 0;
    if (outcome->traces == 0 && !request->none_is_fine) {
        result = REPORT_FAILURE;
    } else {
        struct report_request complete = *request;
        if (!complete.render.root)
            complete.render.root = source_root(profile->arena);
        result = judge(&complete, profile, outcome);
        if (out && print_on(renderer, function, &complete, profile, out, outcome) != 0)
            result = REPORT_FAILURE;
        if (write_files(&complete, profile, outcome) != 0)
            result = REPORT_FAILURE;
    }
    profile_free(profile);
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
