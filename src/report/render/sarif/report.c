// The report as SARIF 2.1.0, for code hosts and editors: one run, what it was of, what was not
// seen. See sarif.h.
#include "report/render/json/values.h"
#include "report/render/plain.h"
#include "report/render/sarif/sarif.h"

// What was not seen is an error of the run: without it, "no results" would be no fact.
static json_t *notification(const struct sarif *sarif, const char *id, const char *level,
                            const char *text)
{
    return json_pack("{s:{s:s}, s:s, s:o}", "descriptor", "id", id, "level", level, "message",
                     sarif_message(sarif->profile->arena, text));
}

static void add_left_out(const struct sarif *sarif, json_t *list)
{
    struct arena *arena = sarif->profile->arena;
    if (sarif->left_out > sarif->beyond)
        json_array_append_new(
            list, notification(sarif, "outside", "warning",
                               arena_format(arena,
                                            "%zu places are not among the results: no frame of "
                                            "theirs is in a file below the source root; name "
                                            "another one with --source-root",
                                            sarif->left_out - sarif->beyond)));
    if (sarif->beyond > 0)
        json_array_append_new(
            list, notification(sarif, "too-many", "warning",
                               arena_format(arena,
                                            "%zu places are not among the results: code hosts "
                                            "keep %d; the worst ones are here",
                                            sarif->beyond, SARIF_RESULTS)));
}

static json_t *notifications(const struct sarif *sarif)
{
    const struct profile *profile = sarif->profile;
    json_t *list = json_array();
    for (size_t i = 0; i < profile->blind.count; i++) {
        const struct profile_blind *blind = profile->blind.item[i];
        json_array_append_new(
            list,
            notification(sarif, "not-seen", "error",
                         arena_format(profile->arena, "Not seen: %s%s%s; %s", blind->program,
                                      *blind->program ? ": " : "", blind->reason, blind->remedy)));
    }
    for (size_t i = 0; i < profile->problems.count; i++)
        json_array_append_new(list,
                              notification(sarif, "incomplete", "note", profile->problems.item[i]));
    add_left_out(sarif, list);
    return list;
}

static json_t *notification_rules(void)
{
    static const struct {
        const char *id, *text;
    } kinds[] = {
        {"not-seen", "Code that could have had sessions was not hooked, or records were lost."},
        {"incomplete", "Something of the report is missing, such as the lines of a module."},
        {"outside", "Places outside of the source root are left out."},
        {"too-many", "Places beyond the number that code hosts keep are left out."},
    };
    json_t *list = json_array();
    for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++)
        json_array_append_new(list, json_pack("{s:s, s:{s:s}, s:{s:s}, s:{s:s}}", "id", kinds[i].id,
                                              "shortDescription", "text", kinds[i].text,
                                              "fullDescription", "text", kinds[i].text, "help",
                                              "text", kinds[i].text));
    return list;
}

// The process that was there first; NULL: there is none.
static const struct profile_process *first_process(const struct profile *profile)
{
    const struct profile_process *first = NULL;
    for (size_t i = 0; i < profile->processes.count; i++)
        if (!first ||
            profile->processes.item[i]->header->start_realtime < first->header->start_realtime)
            first = profile->processes.item[i];
    return first;
}

static json_t *invocation(const struct sarif *sarif)
{
    struct arena *arena = sarif->profile->arena;
    const struct profile_process *first = first_process(sarif->profile);
    json_t *object = json_object();
    json_object_set_new(object, "executionSuccessful",
                        json_boolean(sarif->profile->blind.count == 0));
    json_object_set_new(object, "toolExecutionNotifications", notifications(sarif));
    if (!first)
        return object;
    json_set_text(object, "commandLine", plain_text(arena, first->header->command, 0));
    json_set_text(object, "startTimeUtc", json_time_text(arena, first, 0));
    json_set_text(object, "endTimeUtc", json_time_text(arena, first, first->seconds_ns));
    json_set_number(object, "processId", first->header->pid);
    if (first->state == READER_EXITED)
        json_object_set_new(object, "exitCode", json_integer(first->header->end_status));
    if (first->header->directory[0] == '/')
        json_object_set_new(
            object, "workingDirectory",
            json_pack("{s:s}", "uri", sarif_uri(arena, first->header->directory, true)));
    return object;
}

// What tells this analysis from others of the same commit: the program that was run.
static void set_automation(const struct sarif *sarif, json_t *run)
{
    const struct profile_process *first = first_process(sarif->profile);
    struct arena *arena = sarif->profile->arena;
    const char *program = first ? plain_text(arena, plain_program(first), SARIF_TEXT) : "";
    json_t *details = json_object();
    json_set_text(details, "id",
                  arena_format(arena, "unclosed/%s%s", program, *program ? "/" : ""));
    json_object_set_new(run, "automationDetails", details);
}

static json_t *left_out_json(const struct sarif *sarif)
{
    json_t *numbers = json_object();
    for (int kind = TRACE_HANDLE; kind < TRACE_KINDS; kind++)
        json_set_number(numbers, profile_kind_name((enum trace_kind)kind),
                        sarif->left_out_never_closed[kind]);
    return json_pack("{s:I, s:o}", "places", (json_int_t)sarif->left_out, "never_closed", numbers);
}

static json_t *run_json(struct sarif *sarif)
{
    json_t *run = json_object();
    json_t *results = sarif_results(sarif); // first: counts what it leaves out
    json_object_set_new(run, "tool",
                        json_pack("{s:{s:s, s:s, s:s, s:o, s:o}}", "driver", "name", "unclosed",
                                  "version", REPORT_VERSION, "semanticVersion", REPORT_VERSION,
                                  "rules", sarif_rules(), "notifications", notification_rules()));
    set_automation(sarif, run);
    if (*sarif->root)
        json_object_set_new(run, "originalUriBaseIds",
                            json_pack("{s:{s:s}}", "%SRCROOT%", "uri",
                                      sarif_uri(sarif->profile->arena, sarif->root, true)));
    json_object_set_new(run, "invocations", json_pack("[o]", invocation(sarif)));
    json_set_text(run, "columnKind", "utf16CodeUnits");
    json_object_set_new(run, "results", results);
    json_object_set_new(run, "properties", json_pack("{s:o}", "leftOut", left_out_json(sarif)));
    return run;
}

void sarif_report(const struct profile *profile, const struct render_options *options, FILE *out)
{
    struct sarif sarif = {
        .profile = profile,
        .options = options,
        .root = options->root ? options->root : "",
        .keys = site_keys_make(profile, options->root),
    };
    json_t *document = json_object();
    json_set_text(document, "$schema", "https://json.schemastore.org/sarif-2.1.0.json");
    json_set_text(document, "version", "2.1.0");
    json_object_set_new(document, "runs", json_pack("[o]", run_json(&sarif)));
    json_print(document, 1, out);
}
