// What changed between two runs, as JSON: see changes.h.
#include "report/render/changes.h"

#include "report/render/json/values.h"

static json_t *outcomes_json(unsigned outcomes)
{
    json_t *array = json_array();
    for (unsigned i = 0; i < ENTRY_OUTCOMES; i++)
        if (outcomes & 1U << i)
            json_array_append_new(array, json_text(entry_outcome_name(1U << i)));
    return array;
}

static json_t *numbers_json(const struct entry *entry)
{
    json_t *object = json_object();
    if (entry->judged > 0) {
        json_set_number(object, "judged", entry->judged);
        json_set_number(object, "never_closed", entry->never_closed);
    }
    json_set_number(object, "share", entry->share);
    json_object_set_new(object, "outcomes", outcomes_json(entry->outcomes));
    json_set_text(object, "file", entry->file);
    if (entry->line)
        json_set_number(object, "line", entry->line);
    return object;
}

static json_t *change_json(const struct change *change)
{
    const struct entry *entry = change->after ? change->after : change->before;
    json_t *object = json_object();
    json_set_text(object, "change", change_name(change->change));
    json_set_text(object, "kind", entry->kind);
    json_set_text(object, "name", entry->name);
    json_set_text(object, "code", entry->code);
    json_set_text(object, "hash", entry->hash);
    json_set_number(object, "ordinal", entry->ordinal);
    if (change->before)
        json_object_set_new(object, "before", numbers_json(change->before));
    if (change->after)
        json_object_set_new(object, "after", numbers_json(change->after));
    if (change->moved)
        json_object_set_new(object, "moved", json_true());
    return object;
}

json_t *json_changes(const struct comparison *comparison, bool gone_only)
{
    json_t *object = json_object();
    json_t *counts = json_object();
    for (int change = PROFILE_NEW; change < PROFILE_CHANGES; change++)
        json_set_number(counts, change_name((enum profile_change)change),
                        comparison->count[change]);
    json_object_set_new(object, "counts", counts);
    json_t *list = json_array();
    for (size_t i = 0; i < comparison->changes.count; i++)
        if (!gone_only || comparison->changes.item[i].change == PROFILE_GONE)
            json_array_append_new(list, change_json(&comparison->changes.item[i]));
    json_object_set_new(object, gone_only ? "gone" : "changes", list);
    return object;
}

void json_diff(const struct comparison *comparison, FILE *out)
{
    json_t *root = json_changes(comparison, false);
    json_set_number(root, "schema", 1);
    json_set_text(root, "old", comparison->before->source);
    json_set_text(root, "new", comparison->after->source);
    json_set_number(root, "blind", comparison->before->blind + comparison->after->blind);
    json_print(root, 2, out);
}
