// The results of SARIF: sites that leak, and misuses. See sarif.h.
#include <inttypes.h>

#include "report/code/owners.h"
#include "report/render/json/values.h"
#include "report/render/plain.h"
#include "report/render/sarif/sarif.h"

// "{" begins a placeholder, "[text](1)" is a link: one is doubled, as the standard wants it, and
// the other taken apart.
static const char *escape_message(struct arena *arena, const char *text)
{
    char *escaped = arena_take(arena, strlen(text) * 2 + 1);
    char *to = escaped;
    for (const char *at = text; *at; at++) {
        *to++ = *at;
        if (*at == '{' || *at == '}')
            *to++ = *at;
        if (*at == ']' && at[1] == '(')
            *to++ = ' ';
    }
    return escaped;
}

json_t *sarif_message(struct arena *arena, const char *text)
{
    json_t *message = json_object();
    // Not json_set_text: without a text it would be no message.
    json_object_set_new(message, "text",
                        json_text(escape_message(arena, plain_text(arena, text, 0))));
    return message;
}

static const char *short_text(const struct sarif *sarif, const char *text)
{
    return plain_text(sarif->profile->arena, text, SARIF_TEXT);
}

// "5 of 7 handles from Store.save were never closed: left to a garbage collector; some path skips
// close(). Tests: test_a, and 3 more."
static const char *site_words(const struct sarif *sarif, const struct profile_site *site,
                              enum finding finding)
{
    struct arena *arena = sarif->profile->arena;
    const struct profile_tally *tally = &site->tally;
    const char *function = short_text(sarif, plain_function(site->name));
    const char *pattern = finding == FINDING_LATE ? "" : profile_pattern(site);
    const uint64_t count = finding == FINDING_LATE ? tally->late : tally->never_closed;
    const char *words =
        arena_format(arena, "%" PRIu64 " of %" PRIu64 " %ss%s%s %s%s%s%s%s.", count, tally->opened,
                     profile_kind_name(site->kind), *function ? " from " : "", function,
                     finding == FINDING_LATE ? "" : "never closed: ", finding_words[finding].title,
                     *pattern ? "; " : "", pattern,
                     tally->late > 0 && finding != FINDING_LATE ? "; others held too long" : "");
    if (site->tests.count > 0)
        words =
            arena_format(arena, "%s Test: %s", words, short_text(sarif, site->tests.item[0].name));
    if (site->tests.count > 1)
        words = arena_format(arena, "%s, and %zu more", words, site->tests.count - 1);
    return words;
}

// Whether a frame of a stack is shown: the user's own, or all of them if that was asked for.
static bool is_shown(const struct sarif *sarif, const struct frame *frame)
{
    return sarif->options->all_frames || frame->owner == FRAME_USER;
}

static json_t *stack_json(const struct sarif *sarif, const struct frames *stack,
                          const char *directory)
{
    json_t *frames = json_array();
    for (size_t i = 0; i < stack->count && json_array_size(frames) < SARIF_FRAMES; i++) {
        const struct frame *frame = &stack->frame[i];
        if (!is_shown(sarif, frame))
            continue;
        json_t *object = json_object();
        json_object_set_new(object, "location", sarif_location(sarif, frame, directory, ""));
        if (frame->module)
            json_set_text(object, "module", short_text(sarif, owners_base_name(frame->module)));
        json_array_append_new(frames, object);
    }
    return frames;
}

// The calls that led to the acquire, outermost first.
static json_t *flow_json(const struct sarif *sarif, const struct frames *stack,
                         const char *directory)
{
    json_t *locations = json_array();
    for (size_t i = 0; stack && i < stack->count && json_array_size(locations) < SARIF_FRAMES;
         i++) {
        if (!is_shown(sarif, &stack->frame[i]))
            continue;
        json_t *location = json_object();
        json_object_set_new(location, "location",
                            sarif_location(sarif, &stack->frame[i], directory, ""));
        json_array_insert_new(locations, 0, location);
    }
    return locations;
}

static void set_stack(const struct sarif *sarif, json_t *result, const struct frames *stack,
                      const char *directory)
{
    json_t *frames = stack ? stack_json(sarif, stack, directory) : NULL;
    if (json_array_size(frames) == 0) {
        json_decref(frames);
        return;
    }
    json_object_set_new(result, "stacks", json_pack("[{s:o}]", "frames", frames));
    json_object_set_new(
        result, "codeFlows",
        json_pack("[{s:[{s:o}]}]", "threadFlows", "locations", flow_json(sarif, stack, directory)));
}

// The frame that a code host can show: the first below the root, from the one that names the site
// outwards, else inwards. NULL: there is none.
static const struct frame *place_of(const struct sarif *sarif, const struct frames *stack,
                                    const struct frame *name, const char *directory)
{
    if (name && sarif_is_inside(sarif, name, directory))
        return name;
    const bool named_here =
        stack && stack->count > 0 && name >= stack->frame && name < stack->frame + stack->count;
    const size_t from = named_here ? (size_t)(name - stack->frame) : 0;
    for (size_t i = from; stack && i < stack->count; i++)
        if (sarif_is_inside(sarif, &stack->frame[i], directory))
            return &stack->frame[i];
    for (size_t i = from; i > 0; i--)
        if (sarif_is_inside(sarif, &stack->frame[i - 1], directory))
            return &stack->frame[i - 1];
    return NULL;
}

static json_t *result_json(const struct sarif *sarif, size_t rule, const char *words,
                           const struct frame *place, const char *directory)
{
    const char *code = profile_code(sarif->profile, place, directory);
    json_t *result = json_object();
    json_set_text(result, "ruleId", sarif_rule_id(rule));
    json_set_number(result, "ruleIndex", rule);
    json_set_text(result, "level", sarif_rule_is_error(rule) ? "error" : "warning");
    json_object_set_new(result, "message", sarif_message(sarif->profile->arena, words));
    json_object_set_new(result, "locations",
                        json_pack("[o]", sarif_location(sarif, place, directory, code)));
    return result;
}

// One fingerprint is ours, the other is the one that GitHub compares (it would take the line and
// what surrounds it).
static void set_fingerprints(json_t *result, const struct site_key *key)
{
    json_object_set_new(result, "partialFingerprints",
                        json_pack("{s:s, s:s}", "unclosedSite/v1", key->text,
                                  "primaryLocationLineHash", key->text));
}

// What the result is since the baseline, if there is one (SARIF 3.27.24).
static void set_baseline(json_t *result, const struct profile_site *site)
{
    static const char *const states[PROFILE_CHANGES] = {
        [PROFILE_NEW] = "new",
        [PROFILE_WORSE] = "updated",
        [PROFILE_BETTER] = "updated",
        [PROFILE_KNOWN] = "unchanged",
    };
    json_set_text(result, "baselineState", states[site->change]);
}

static void set_properties(json_t *result, const struct profile_site *site)
{
    json_t *properties = json_object();
    json_set_text(properties, "site", site->id);
    json_set_text(properties, "kind", profile_kind_name(site->kind));
    for (size_t i = 0; i < tally_column_count; i++)
        if (tally_value(&site->tally, &tally_columns[i]) > 0)
            json_set_number(properties, tally_columns[i].name,
                            tally_value(&site->tally, &tally_columns[i]));
    json_set_seconds(properties, "longest", site->longest_ns);
    json_set_names(properties, "tests", &site->tests);
    json_set_names(properties, "threads", &site->threads);
    json_object_set_new(result, "properties", properties);
}

static json_t *site_json(const struct sarif *sarif, const struct profile_site *site,
                         const struct site_key *key, const struct frame *place)
{
    const char *directory = site->process->header->directory;
    const enum finding finding = finding_of(&site->tally);
    json_t *result =
        result_json(sarif, finding, site_words(sarif, site, finding), place, directory);
    const uint64_t count = finding == FINDING_LATE ? site->tally.late : site->tally.never_closed;
    json_set_number(result, "occurrenceCount", count);
    set_fingerprints(result, key);
    set_baseline(result, site);
    set_stack(sarif, result, site->stack, directory);
    set_properties(result, site);
    return result;
}

// All that would be never closed was suppressed: a result that code hosts list as such.
static json_t *suppressed_json(const struct sarif *sarif, const struct profile_site *site,
                               const struct site_key *key, const struct frame *place)
{
    const char *directory = site->process->header->directory;
    const char *words = arena_format(
        sarif->profile->arena, "%" PRIu64 " of %" PRIu64 " %ss from %s never closed: suppressed.",
        site->tally.suppressed, site->tally.opened, profile_kind_name(site->kind),
        short_text(sarif, plain_function(site->name)));
    json_t *result = result_json(sarif, FINDING_LIVE, words, place, directory);
    json_set_number(result, "occurrenceCount", site->tally.suppressed);
    json_object_set_new(result, "suppressions",
                        json_pack("[{s:s, s:s}]", "kind", "external", "status", "accepted"));
    set_fingerprints(result, key);
    set_stack(sarif, result, site->stack, directory);
    set_properties(result, site);
    return result;
}

static void leave_out(struct sarif *sarif, const struct profile_site *site, bool beyond)
{
    sarif->left_out++;
    sarif->beyond += beyond;
    sarif->left_out_never_closed[site->kind] += site->tally.never_closed;
}

static void add_sites(struct sarif *sarif, json_t *results)
{
    for (size_t i = 0; i < sarif->profile->sites.count; i++) {
        const struct profile_site *site = sarif->profile->sites.item[i];
        const bool leaks = profile_site_leaks(site);
        if (!leaks && site->tally.suppressed == 0)
            continue;
        const bool beyond = json_array_size(results) >= SARIF_RESULTS;
        const struct frame *place =
            beyond ? NULL
                   : place_of(sarif, site->stack, site->name, site->process->header->directory);
        if (place)
            json_array_append_new(results,
                                  leaks ? site_json(sarif, site, &sarif->keys[i], place)
                                        : suppressed_json(sarif, site, &sarif->keys[i], place));
        else
            leave_out(sarif, site, beyond);
    }
}

static void add_misuses(struct sarif *sarif, json_t *results)
{
    for (size_t i = 0; i < sarif->profile->misuses.count; i++) {
        const struct profile_misuse *misuse = sarif->profile->misuses.item[i];
        const char *directory = misuse->process->header->directory;
        const size_t rule = SARIF_RULE_MISUSE + (size_t)misuse->kind - TRACE_MISUSE_UNKNOWN;
        const struct frame *place = place_of(sarif, misuse->stack, misuse->name, directory);
        const bool beyond = json_array_size(results) >= SARIF_RESULTS;
        if (rule >= SARIF_RULES || !place || beyond) {
            sarif->left_out++;
            sarif->beyond += beyond;
            continue;
        }
        const char *words =
            arena_format(sarif->profile->arena, "%s: %s was called so %" PRIu64 " time%s.",
                         profile_misuse_name(misuse->kind), short_text(sarif, misuse->function),
                         misuse->count, misuse->count == 1 ? "" : "s");
        json_t *result = result_json(sarif, rule, words, place, directory);
        json_set_number(result, "occurrenceCount", misuse->count);
        set_stack(sarif, result, misuse->stack, directory);
        json_array_append_new(results, result);
    }
}

json_t *sarif_results(struct sarif *sarif)
{
    json_t *results = json_array();
    add_sites(sarif, results);
    add_misuses(sarif, results);
    return results;
}
