// The data of a page: that of the JSON report, with stacks as numbers (see stacks.h), source text,
// and without what is zero or empty; page/data.js reads it.
#include "report/render/html/data.h"

#include <stdlib.h>
#include <time.h>

#include "report/profile/site_key.h"
#include "report/render/html/redact.h"
#include "report/render/html/stacks.h"
#include "report/render/json/parts.h"
#include "report/render/json/values.h"

enum { SCHEMA = 1 };

static bool is_empty(const json_t *value)
{
    switch (json_typeof(value)) {
    case JSON_INTEGER:
        return json_integer_value(value) == 0;
    case JSON_REAL:
        return json_real_value(value) == 0;
    case JSON_ARRAY:
        return json_array_size(value) == 0;
    case JSON_OBJECT:
        return json_object_size(value) == 0;
    case JSON_FALSE:
        return true;
    default:
        return false;
    }
}

static void remove_empty(json_t *object)
{
    const char *key;
    json_t *value;
    void *next;
    json_object_foreach_safe(object, next, key, value) if (is_empty(value))
        json_object_del(object, key);
}

static void remove_keys(json_t *object, const char *const *keys, size_t count)
{
    for (size_t i = 0; i < count; i++)
        json_object_del(object, keys[i]);
}

// A frame takes the place of "file", "line" and so on.
static void set_frame(struct page_stacks *stacks, json_t *object, const char *key,
                      const struct profile_process *process, const struct frame *frame)
{
    static const char *const places[] = {"file", "line", "function", "module", "offset"};
    remove_keys(object, places, sizeof places / sizeof *places);
    if (frame)
        json_object_set_new(object, key, json_integer(page_frame(stacks, process, frame)));
}

static void set_stack(struct page_stacks *stacks, json_t *object, const char *key,
                      const struct profile_process *process, const struct frames *frames)
{
    json_int_t node = page_stack(stacks, process, frames);
    if (node >= 0)
        json_object_set_new(object, key, json_integer(node));
}

static void set_pool(json_t *object, const struct profile *profile, const struct profile_pool *pool)
{
    for (size_t i = 0; i < profile->pools.count; i++)
        if (pool == profile->pools.item[i])
            json_object_set_new(object, "pool", json_integer((json_int_t)i));
}

static json_t *callers(struct page_stacks *stacks, const struct profile_site *site)
{
    json_t *array = json_array();
    for (size_t i = 0; i < site->callers.count; i++) {
        const struct profile_caller *caller = &site->callers.item[i];
        json_array_append_new(
            array, json_pack("[I,I,I]", page_frame(stacks, site->process, caller->frame),
                             (json_int_t)caller->opened, (json_int_t)caller->never_closed));
    }
    return array;
}

// The counts only, and before them how many are zero.
static void shorten_times(json_t *object)
{
    json_t *counts = json_object_get(json_object_get(object, "hold_times"), "count");
    if (!counts)
        return;
    json_incref(counts);
    json_int_t zeros = 0;
    while (json_array_size(counts) > 0 && json_integer_value(json_array_get(counts, 0)) == 0) {
        json_array_remove(counts, 0);
        zeros++;
    }
    json_array_insert_new(counts, 0, json_integer(zeros));
    json_object_set_new(object, "hold_times", counts);
}

// The last number stands for all up to `count`. Without any that is not zero there is none.
static void shorten_timeline(json_t *object)
{
    json_t *line = json_object_get(object, "timeline");
    json_t *out = json_object_get(line, "least_out");
    size_t count = json_array_size(out), used = count;
    while (used > 1 && json_integer_value(json_array_get(out, used - 1)) ==
                           json_integer_value(json_array_get(out, used - 2)))
        json_array_remove(out, --used);
    if (line && (used > 1 || json_integer_value(json_array_get(out, 0)) > 0))
        json_object_set_new(line, "count", json_integer((json_int_t)count));
    else
        json_object_del(object, "timeline");
    json_object_del(line, "pid");
}

static json_t *site(const struct profile *profile, struct page_stacks *stacks,
                    const struct profile_site *site, const struct site_key *key)
{
    static const char *const left_out[] = {"key",       "code",      "database",   "released",
                                           "reclaimed", "mean_hold", "at_shutdown"};
    json_t *object = json_site(profile, site, key);
    remove_keys(object, left_out, sizeof left_out / sizeof *left_out);
    shorten_times(object);
    shorten_timeline(object);
    json_set_text(object, "key", key->text);
    json_object_set_new(object, "pid", json_integer(site->process->header->pid));
    json_object_set_new(object, "hold_sum", json_real((double)site->hold_ns / 1e9));
    json_object_set_new(object, "callers", callers(stacks, site));
    json_object_del(object, "pool");
    remove_empty(json_object_get(object, "closed_by"));
    remove_empty(object); // of what follows, 0 is a number like others
    set_pool(object, profile, site->pool);
    set_frame(stacks, object, "name", site->process, site->name);
    if (site->via)
        json_object_set_new(object, "via",
                            json_integer(page_frame(stacks, site->process, site->via)));
    set_stack(stacks, object, "stack", site->process, site->stack);
    set_stack(stacks, object, "created", site->process, site->created);
    page_source(stacks, site->process, site->name);
    return object;
}

static json_t *shortage(const struct profile *profile, struct page_stacks *stacks,
                        const struct profile_exhaustion *exhaustion)
{
    json_t *object = json_exhaustion(profile, exhaustion);
    json_t *sessions = json_array();
    set_frame(stacks, object, "name", exhaustion->process, exhaustion->name);
    set_stack(stacks, object, "stack", exhaustion->process, exhaustion->stack);
    for (size_t i = 0; i < exhaustion->held; i++) {
        const struct profile_held *held = &exhaustion->sessions[i];
        json_t *session = json_object();
        json_set_text(session, "site", held->site ? held->site->id : NULL);
        json_set_text(session, "thread", held->thread);
        json_set_seconds(session, "acquired", held->acquired_ns);
        json_array_append_new(sessions, session);
    }
    json_object_set_new(object, "sessions", sessions);
    set_pool(object, profile, exhaustion->pool);
    return object;
}

static json_t *misuse(struct page_stacks *stacks, const struct profile_misuse *misuse)
{
    json_t *object = json_misuse(misuse);
    set_frame(stacks, object, "name", misuse->process, misuse->name);
    set_stack(stacks, object, "stack", misuse->process, misuse->stack);
    return object;
}

static void set_lists(json_t *root, const struct profile *profile, struct page_stacks *stacks,
                      const struct render_options *options)
{
    const struct site_key *keys = site_keys_make(profile, options->root);
    json_t *list[5];
    for (size_t i = 0; i < 5; i++)
        list[i] = json_array();
    for (size_t i = 0; i < profile->processes.count; i++)
        json_array_append_new(list[0], json_process(profile, profile->processes.item[i]));
    for (size_t i = 0; i < profile->pools.count; i++)
        json_array_append_new(list[1], json_pool(profile, profile->pools.item[i]));
    for (size_t i = 0; i < profile->sites.count; i++)
        json_array_append_new(list[2], site(profile, stacks, profile->sites.item[i], &keys[i]));
    for (size_t i = 0; i < profile->exhaustions.count; i++)
        json_array_append_new(list[3], shortage(profile, stacks, profile->exhaustions.item[i]));
    for (size_t i = 0; i < profile->misuses.count; i++)
        json_array_append_new(list[4], misuse(stacks, profile->misuses.item[i]));
    json_object_set_new(root, "processes", list[0]);
    json_object_set_new(root, "pools", list[1]);
    json_object_set_new(root, "sites", list[2]);
    json_object_set_new(root, "shortages", list[3]);
    json_object_set_new(root, "misuse", list[4]);
}

static void set_made(json_t *root)
{
    time_t now = time(NULL);
    struct tm utc;
    char text[32];
    if (gmtime_r(&now, &utc) && strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc) > 0)
        json_set_text(root, "made", text);
}

json_t *page_data(const struct profile *profile, const struct render_options *options)
{
    char *fault;
    struct redaction *redaction = redaction_new(options->redact, options->redact_count, &fault);
    if (!redaction) // the command line has asked before
        abort();
    struct page_stacks *stacks = page_stacks_new(profile, !redaction_of_source(redaction));
    json_t *root = json_object();
    json_set_number(root, "schema", SCHEMA);
    set_made(root);
    json_object_set_new(root, "totals", json_totals(profile));
    set_lists(root, profile, stacks, options);
    json_object_set_new(root, "blind", json_blind(profile));
    json_object_set_new(root, "unseen_inside", json_inside(profile));
    json_object_set_new(root, "unseen", json_texts(profile->unseen.item, profile->unseen.count));
    json_object_set_new(root, "problems",
                        json_texts(profile->problems.item, profile->problems.count));
    json_set_number(root, "running", profile->running);
    if (profile->threshold_ns)
        json_set_seconds(root, "threshold", profile->threshold_ns);
    if (options->redact_count > 0)
        json_object_set_new(root, "redacted", redaction_words(redaction));
    page_stacks_set(stacks, root);
    page_stacks_free(stacks);
    redaction_apply(redaction, root);
    redaction_free(redaction);
    return root;
}
