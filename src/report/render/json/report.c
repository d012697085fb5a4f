// The report as JSON, schema 1: for programs.
//
// Keys are added and never taken away. Seconds are floats; what is not known is absent; moments
// called "at" count from the start of the process. Sites are referred to by their id.
#include <jansson.h>
#include <string.h>

#include "report/profile/groups.h"
#include "report/profile/site_key.h"
#include "report/profile/suppressions.h"
#include "report/render/changes.h"
#include "report/render/json/parts.h"
#include "report/render/json/values.h"
#include "report/render/renderer.h"
#include "report/render/tallies.h"
#include "shared/trace_words.h"

enum { INDENT = 2 };

static void set_notes(json_t *object, const struct profile *profile,
                      const struct profile_process *process)
{
    const char *notes[2 + TRACE_RUNTIMES] = {profile_python_note(profile->arena, process),
                                             profile_python_besides(process)};
    for (size_t i = 0; i < TRACE_RUNTIMES; i++)
        notes[2 + i] = profile_runtime_note(profile->arena, process, i);
    json_t *list = json_array();
    for (size_t i = 0; i < sizeof notes / sizeof *notes; i++)
        if (notes[i])
            json_array_append_new(list, json_string(notes[i]));
    if (json_array_size(list) > 0)
        json_object_set(object, "notes", list);
    json_decref(list);
}

json_t *json_process(const struct profile *profile, const struct profile_process *process)
{
    json_t *object = json_object();
    json_set_number(object, "pid", process->header->pid);
    json_set_number(object, "parent_pid", process->header->parent_pid);
    json_set_text(object, "exe", process->header->exe);
    json_set_text(object, "command", process->header->command);
    json_set_text(object, "directory", process->header->directory);
    json_set_text(object, "trace", process->trace);
    json_set_text(object, "started", json_time_text(profile->arena, process, 0));
    json_set_seconds(object, "seconds", process->seconds_ns);
    if (!process->end_known)
        json_object_set_new(object, "seconds_at_least", json_true());
    json_set_text(object, "ended", profile_ended(profile, process));
    json_set_number(object, "lost", process->lost);
    json_set_number(object, "opened", process->opened);
    json_set_number(object, "never_closed", process->never_closed);
    if (process->header->flags & TRACE_FLAG_ATTACHED)
        json_object_set_new(object, "attached", json_true());
    if (process->header->flags & TRACE_FLAG_RENEWED)
        json_object_set_new(object, "renewed", json_true());
    if (process->header->flags & TRACE_FLAG_FORKED)
        json_object_set_new(object, "forked", json_true());
    set_notes(object, profile, process);
    json_t *reasons = json_object();
    for (int reason = 0; reason < TRACE_LOST_REASONS; reason++)
        if (process->header->lost[reason])
            json_set_number(reasons, trace_words_lost((enum trace_lost)reason),
                            process->header->lost[reason]);
    if (process->lost)
        json_object_set(object, "lost_reasons", reasons);
    json_decref(reasons);
    return object;
}

// Who closed the sessions that are closed, as far as that is known.
static void set_closed_by(json_t *object, const struct profile_tally *tally)
{
    const struct {
        const char *name;
        uint64_t number;
    } closers[] = {
        {"code", tally->released - tally->scope_end - tally->at_exit},
        {"scope_end", tally->scope_end},
        {"code_at_exit", tally->at_exit},
        {"reclaimed", tally->reclaimed - tally->shutdown - tally->collected - tally->request},
        {"collector", tally->collected},
        {"end_of_request", tally->request},
        {"end_of_runtime", tally->shutdown},
        {"pool", tally->pool_ended},
        {"unknown", tally->closer_unknown},
    };
    json_t *numbers = json_object();
    for (size_t i = 0; i < sizeof closers / sizeof *closers; i++)
        if (closers[i].number > 0)
            json_set_number(numbers, closers[i].name, closers[i].number);
    json_object_set_new(object, "closed_by", numbers);
}

static void set_tally(json_t *object, const struct profile_tally *tally)
{
    for (size_t i = 0; i < tally_column_count; i++)
        json_set_number(object, tally_columns[i].name, tally_value(tally, &tally_columns[i]));
    set_closed_by(object, tally);
}

// How many were open before the fork or attach, and what became of them.
static void set_inherited(json_t *object, const struct profile_inherited *counts)
{
    json_set_number(object, "inherited", profile_inherited_count(counts));
    if (profile_inherited_count(counts) == 0)
        return;
    json_t *fates = json_object();
    json_set_number(fates, "out", counts->out);
    json_set_number(fates, "pooled", counts->pooled);
    json_set_number(fates, "released", counts->released);
    json_set_number(fates, "reclaimed", counts->reclaimed);
    json_set_number(fates, "otherwise", counts->otherwise);
    json_object_set_new(object, "inherited_now", fates);
}

json_t *json_totals(const struct profile *profile)
{
    json_t *object = json_object();
    for (int kind = TRACE_HANDLE; kind < TRACE_KINDS; kind++) {
        json_t *tally = json_object();
        set_tally(tally, &profile->totals[kind]);
        set_inherited(tally, &profile->inherited[kind]);
        json_object_set_new(object, profile_kind_name((enum trace_kind)kind), tally);
    }
    return object;
}

// Sites by their number of sessions only, for there are many of these lists.
static json_t *moment_json(const profile_holders *holders)
{
    json_t *object = json_object();
    uint64_t before = 0;
    for (size_t i = 0; i < holders->count; i++) {
        if (holders->item[i].site)
            json_set_number(object, holders->item[i].site->id, holders->item[i].count);
        else
            before += holders->item[i].count;
    }
    if (before > 0)
        json_set_number(object, "before_attach", before);
    return object;
}

static json_t *holders_json(const profile_holders *holders)
{
    json_t *array = json_array();
    for (size_t i = 0; i < holders->count; i++) {
        const struct profile_holder *holder = &holders->item[i];
        json_t *object = json_object();
        if (holder->site) {
            json_set_text(object, "site", holder->site->id);
            json_set_place(object, holder->site->name);
        } else {
            json_object_set_new(object, "before_attach", json_true());
        }
        json_set_number(object, "count", holder->count);
        if (holder->longest_ns)
            json_set_seconds(object, "longest", holder->longest_ns);
        json_array_append_new(array, object);
    }
    return array;
}

// Who held most when most were out in each bucket, and who waited.
static void set_moments(json_t *object, const struct profile_moment *moments, int count)
{
    json_t *holders = json_array();
    json_t *waiting = json_array();
    json_t *timeouts = json_array();
    for (int i = 0; i < count; i++) {
        json_array_append_new(holders, moment_json(&moments[i].holders));
        json_array_append_new(waiting, json_integer((json_int_t)moments[i].waiting));
        json_array_append_new(timeouts, json_integer((json_int_t)moments[i].timeouts));
    }
    json_object_set_new(object, "holders", holders);
    json_object_set_new(object, "waiting", waiting);
    json_object_set_new(object, "timeouts", timeouts);
}

static json_t *timeline_json(const struct profile_pool *pool)
{
    const struct trace_timeline *timeline = pool->timeline;
    const struct trace_header *header = pool->process->header;
    int used = TRACE_TIMELINE_BUCKETS;
    while (used > 0 && timeline->most_out[used - 1] == 0)
        used--;
    json_t *object = json_object();
    json_set_seconds(object, "from",
                     timeline->origin_ns > header->start_ns ? timeline->origin_ns - header->start_ns
                                                            : 0);
    json_set_seconds(object, "step", timeline->width_ns);
    json_t *most = json_array();
    for (int i = 0; i < used; i++)
        json_array_append_new(most, json_integer(timeline->most_out[i]));
    json_object_set_new(object, "most_out", most);
    if (pool->moments)
        set_moments(object, pool->moments, used);
    return object;
}

static json_t *sizing_json(const struct profile *profile, const struct profile_pool *pool)
{
    const struct profile_sizing *sizing = &pool->sizing;
    json_t *object = json_object();
    if (sizing->arrival_per_second > 0)
        json_object_set_new(object, "arrival_per_second", json_real(sizing->arrival_per_second));
    if (sizing->mean_hold_ns > 0) {
        json_object_set_new(object, "mean_hold", json_real(sizing->mean_hold_ns / 1e9));
        json_object_set_new(object, "mean_hold_exact", json_boolean(sizing->hold_exact));
    }
    const bool sized = profile_pool_capacity(pool) > 0; // else it needs none
    if (sized && profile_mean_out(sizing) > 0)
        json_object_set_new(object, "mean_out", json_real(profile_mean_out(sizing)));
    json_set_number(object, "high_water", pool->high_water);
    json_set_number(object, "leaked_at_high_water", sizing->leaked);
    if (sized)
        json_set_number(object, "needed_without_leaks", sizing->needed);
    json_set_number(object, "most_waiting", profile_most_waiting(profile, pool));
    json_object_set_new(object, "exact", json_boolean(sizing->leaked == sizing->leaked_least));
    return object;
}

json_t *json_pool(const struct profile *profile, const struct profile_pool *pool)
{
    json_t *object = json_object();
    json_set_text(object, "kind", pool->kind);
    json_set_text(object, "name", pool->name);
    json_set_text(object, "class", pool->detail);
    json_set_number(object, "pid", pool->process->header->pid);
    json_set_number(object, "instances", pool->instances);
    if (pool->size != TRACE_UNKNOWN)
        json_set_number(object, "size", pool->size);
    if (pool->overflow != TRACE_UNKNOWN)
        json_set_number(object, "overflow", pool->overflow);
    if (pool->timeout_ms != TRACE_UNKNOWN && pool->timeout_ms != 0)
        json_object_set_new(object, "timeout", json_real(pool->timeout_ms / 1e3));
    json_set_number(object, "out", pool->out);
    json_t *high_water = json_object();
    json_set_number(high_water, "count", pool->high_water);
    json_set_seconds(high_water, "at", pool->high_water_ns);
    json_object_set_new(high_water, "holders", holders_json(&pool->holders));
    json_object_set_new(object, "high_water", high_water);
    json_set_number(object, "acquires", pool->acquires);
    json_t *waits = json_object();
    json_set_number(waits, "count", pool->waits);
    json_set_seconds(waits, "longest", pool->longest_wait_ns);
    json_set_seconds(waits, "total", pool->total_wait_ns);
    json_set_seconds(waits, "counted_from", pool->wait_threshold_ns);
    json_object_set_new(object, "waits", waits);
    json_t *openings = json_object();
    json_set_number(openings, "count", pool->openings);
    json_set_seconds(openings, "longest", pool->longest_opening_ns);
    json_object_set_new(object, "slow_openings", openings);
    if (pool->waiting_known)
        json_set_number(object, "waiting", pool->waiting);
    json_set_number(object, "failed", pool->failed);
    json_set_number(object, "timeouts", pool->timeouts);
    json_set_number(object, "idle", pool->idle);
    json_set_histogram(object, "acquire_times", pool->got, TRACE_TOOK_BUCKETS,
                       UINT64_C(1) << TRACE_TOOK_SHIFT);
    json_set_histogram(object, "creation_times", pool->created, TRACE_TOOK_BUCKETS,
                       UINT64_C(1) << TRACE_TOOK_SHIFT);
    set_inherited(object, &pool->inherited);
    json_object_set_new(object, "sizing", sizing_json(profile, pool));
    json_object_set_new(object, "occupancy", timeline_json(pool));
    return object;
}

static void set_growth(json_t *object, const struct profile_growth *growth)
{
    if (growth->width_ns == 0)
        return;
    json_t *numbers = json_object();
    json_object_set_new(numbers, "from", json_real((double)growth->origin_ns / 1e9));
    json_set_number(numbers, "pid", growth->process->header->pid);
    json_set_seconds(numbers, "step", growth->width_ns);
    json_t *out = json_array();
    for (unsigned i = 0; i < growth->count; i++)
        json_array_append_new(out, json_integer((json_int_t)growth->least_out[i]));
    json_object_set_new(numbers, "least_out", out);
    json_object_set_new(numbers, "grows", json_boolean(profile_grows(growth)));
    json_object_set_new(object, "timeline", numbers);
}

static void set_churn(json_t *object, const struct profile_site *site)
{
    struct profile_churn churn;
    if (!profile_site_churns(site, &churn))
        return;
    json_t *numbers = json_object();
    json_object_set_new(numbers, "rate", json_real(churn.rate));
    json_set_seconds(numbers, "median_hold", churn.median_ns);
    json_object_set_new(object, "churn", numbers);
}

// Names that are the same once made into UTF-8 are put together.
static void set_tests(json_t *object, const struct profile_site *site)
{
    if (site->by_test.count == 0)
        return;
    json_t *tests = json_object();
    for (size_t i = 0; i < site->by_test.count; i++) {
        json_t *name = json_text(site->by_test.item[i].name);
        const char *key = json_string_value(name);
        json_int_t before = json_integer_value(json_object_get(tests, key));
        json_set_number(tests, key, (uint64_t)before + site->by_test.item[i].never_closed);
        json_decref(name);
    }
    json_object_set_new(object, "never_closed_by_test", tests);
}

static json_t *callers_json(const struct profile_site *site)
{
    json_t *array = json_array();
    for (size_t i = 0; i < site->callers.count; i++) {
        const struct profile_caller *caller = &site->callers.item[i];
        json_t *object = json_frame(caller->frame);
        json_set_number(object, "opened", caller->opened);
        json_set_number(object, "never_closed", caller->never_closed);
        json_array_append_new(array, object);
    }
    return array;
}

// What is the same in the next version of the program: see site_key.h.
static json_t *key_json(const struct site_key *key)
{
    json_t *object = json_object();
    json_set_text(object, "text", key->text);
    json_set_text(object, "hash", key->hash);
    json_set_number(object, "ordinal", key->ordinal);
    json_set_number(object, "equals", key->equals);
    json_set_text(object, "name", key->name);
    json_set_text(object, "file", key->file);
    return object;
}

json_t *json_site(const struct profile *profile, const struct profile_site *site,
                  const struct site_key *key)
{
    json_t *object = json_object();
    const char *directory = site->process->header->directory;
    json_set_text(object, "id", site->id);
    json_object_set_new(object, "key", key_json(key));
    json_set_text(object, "kind", profile_kind_name(site->kind));
    json_set_place(object, site->name);
    json_set_text(object, "baseline", change_name(site->change));
    set_tally(object, &site->tally);
    json_set_seconds(object, "longest", site->longest_ns);
    if (site->longest_least)
        json_object_set_new(object, "longest_at_least", json_true());
    if (site->holds > 0)
        json_object_set_new(object, "mean_hold",
                            json_real((double)site->hold_ns / (double)site->holds / 1e9));
    json_set_histogram(object, "hold_times", site->held, TRACE_HOLD_BUCKETS, 1000);
    set_churn(object, site);
    set_growth(object, &site->growth);
    json_set_seconds(object, "first", site->first_ns == UINT64_MAX ? 0 : site->first_ns);
    json_set_seconds(object, "last", site->last_ns);
    json_set_names(object, "threads", &site->threads);
    json_set_names(object, "tests", &site->tests);
    set_tests(object, site);
    json_set_names(object, "tasks", &site->tasks);
    json_set_names(object, "databases", &site->databases);
    json_set_names(object, "statements", &site->details);
    if (site->databases.count > 0)
        json_set_text(object, "database", site->databases.item[0].name);
    json_set_text(object, "acquired_by", site->function);
    if (site->pool) {
        json_t *pool = json_object();
        json_set_text(pool, "kind", site->pool->kind);
        json_set_text(pool, "name", site->pool->name);
        json_object_set_new(object, "pool", pool);
    }
    json_set_number(object, "refusals", site->refusals);
    json_set_number(object, "zombies", site->zombies);
    json_set_number(object, "exceptions", site->exceptions);
    json_set_number(object, "in_transaction", site->in_transaction);
    json_set_text(object, "pattern", profile_pattern(site));
    json_set_text(object, "code", profile_code(profile, site->name, directory));
    return object;
}

static json_t *site_whole(const struct profile *profile, const struct profile_site *site,
                          const struct site_key *key)
{
    json_t *object = json_site(profile, site, key);
    if (site->via)
        json_object_set_new(object, "via", json_frame(site->via));
    if (site->callers.count > 0)
        json_object_set_new(object, "callers", callers_json(site));
    json_object_set_new(object, "frames", json_frames(site->stack));
    if (site->created && site->created->count > 0)
        json_object_set_new(object, "created", json_frames(site->created));
    else if (site->created)
        json_object_set_new(object, "created_before_attach", json_true());
    return object;
}

json_t *json_exhaustion(const struct profile *profile, const struct profile_exhaustion *exhaustion)
{
    json_t *object = json_object();
    json_set_number(object, "pid", exhaustion->process->header->pid);
    json_set_seconds(object, "at", exhaustion->at_ns);
    json_set_text(object, "time",
                  json_time_text(profile->arena, exhaustion->process, exhaustion->at_ns));
    json_set_seconds(object, "waited", exhaustion->waited_ns);
    json_object_set_new(object, "failed", json_boolean(exhaustion->failed));
    json_set_number(object, "waiting", exhaustion->waiting);
    json_set_text(object, "thread", exhaustion->thread);
    if (exhaustion->pool) {
        json_set_text(object, "pool_kind", exhaustion->pool->kind);
        json_set_text(object, "pool_name", exhaustion->pool->name);
    }
    json_set_place(object, exhaustion->name);
    json_set_number(object, "held", exhaustion->held);
    json_object_set_new(object, "holders", holders_json(&exhaustion->holders));
    return object;
}

static json_t *exhaustion_whole(const struct profile *profile,
                                const struct profile_exhaustion *exhaustion)
{
    json_t *object = json_exhaustion(profile, exhaustion);
    json_object_set_new(object, "frames", json_frames(exhaustion->stack));
    return object;
}

json_t *json_misuse(const struct profile_misuse *misuse)
{
    json_t *object = json_object();
    json_set_text(object, "kind", profile_misuse_name(misuse->kind));
    json_set_number(object, "count", misuse->count);
    json_set_text(object, "called", misuse->function);
    json_set_place(object, misuse->name);
    json_set_seconds(object, "first", misuse->first_ns);
    json_set_seconds(object, "last", misuse->last_ns);
    json_set_text(object, "database", misuse->database);
    json_set_text(object, "thread", misuse->thread);
    if (misuse->site)
        json_set_text(object, "site", misuse->site->id);
    return object;
}

static json_t *misuse_whole(const struct profile_misuse *misuse)
{
    json_t *object = json_misuse(misuse);
    json_object_set_new(object, "frames", json_frames(misuse->stack));
    return object;
}

static json_t *groups_json(const struct profile *profile, enum group_by by)
{
    struct groups groups = groups_of(profile, by);
    json_t *array = json_array();
    for (size_t i = 0; i < groups.count; i++) {
        const struct group *group = &groups.item[i];
        json_t *object = json_object();
        json_set_text(object, "name", group->name);
        json_set_number(object, "never_closed", group->never_closed);
        if (group->opened)
            json_set_number(object, "opened", group->opened);
        json_set_seconds(object, "longest", group->longest_ns);
        json_object_set_new(object, "sites", holders_json(&group->holders));
        json_array_append_new(array, object);
    }
    return array;
}

json_t *json_texts(const char *const *texts, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++)
        json_array_append_new(array, json_text(texts[i]));
    return array;
}

json_t *json_inside(const struct profile *profile)
{
    json_t *array = json_array();
    for (size_t i = 0; i < profile->inside.count; i++) {
        json_t *object = json_object();
        json_object_set_new(object, "function", json_text(profile->inside.item[i]->function));
        json_object_set_new(object, "reason", json_text(profile->inside.item[i]->reason));
        json_array_append_new(array, object);
    }
    return array;
}

json_t *json_blind(const struct profile *profile)
{
    json_t *array = json_array();
    for (size_t i = 0; i < profile->blind.count; i++) {
        const struct profile_blind *blind = profile->blind.item[i];
        json_t *object = json_object();
        if (*blind->program)
            json_object_set_new(object, "program", json_text(blind->program));
        json_object_set_new(object, "reason", json_text(blind->reason));
        json_object_set_new(object, "remedy", json_text(blind->remedy));
        json_array_append_new(array, object);
    }
    return array;
}

static json_t *suppressions_json(const struct suppressions *suppressions)
{
    json_t *array = json_array();
    for (size_t i = 0; suppressions && i < suppressions->list.count; i++) {
        const struct suppression *one = &suppressions->list.item[i];
        json_t *object = json_object();
        json_set_text(object, "kind", one->kind);
        json_set_text(object, "pattern", one->pattern);
        json_set_text(object, "reason", one->reason);
        json_set_text(object, "file", one->file);
        json_set_number(object, "line", one->line);
        json_set_number(object, "used", one->used);
        json_array_append_new(array, object);
    }
    return array;
}

static json_t *excesses_json(const struct profile *profile)
{
    json_t *array = json_array();
    for (size_t i = 0; i < profile->excesses.count; i++) {
        const struct profile_excess *excess = &profile->excesses.item[i];
        json_t *object = json_object();
        json_set_text(object, "limit", excess->held ? "held" : "sessions");
        json_set_text(object, "of", excess->of);
        json_set_text(object, "name", excess->name);
        if (excess->held) {
            json_set_seconds(object, "value", excess->value);
            json_set_seconds(object, "most", excess->most);
        } else {
            json_set_number(object, "value", excess->value);
            json_set_number(object, "most", excess->most);
        }
        json_array_append_new(array, object);
    }
    return array;
}

void json_report(const struct profile *profile, const struct render_options *options, FILE *out)
{
    json_t *root = json_object();
    json_set_number(root, "schema", 1);
    json_t *processes = json_array();
    for (size_t i = 0; i < profile->processes.count; i++)
        json_array_append_new(processes, json_process(profile, profile->processes.item[i]));
    json_object_set_new(root, "processes", processes);
    json_object_set_new(root, "totals", json_totals(profile));
    json_t *pools = json_array();
    for (size_t i = 0; i < profile->pools.count; i++)
        json_array_append_new(pools, json_pool(profile, profile->pools.item[i]));
    json_object_set_new(root, "pools", pools);
    json_t *sites = json_array();
    const struct site_key *keys = site_keys_make(profile, options->root);
    for (size_t i = 0; i < profile->sites.count; i++)
        json_array_append_new(sites, site_whole(profile, profile->sites.item[i], &keys[i]));
    json_object_set_new(root, "sites", sites);
    json_t *exhaustions = json_array();
    for (size_t i = 0; i < profile->exhaustions.count; i++)
        json_array_append_new(exhaustions, exhaustion_whole(profile, profile->exhaustions.item[i]));
    json_object_set_new(root, "shortages", exhaustions);
    json_t *misuses = json_array();
    for (size_t i = 0; i < profile->misuses.count; i++)
        json_array_append_new(misuses, misuse_whole(profile->misuses.item[i]));
    json_object_set_new(root, "misuse", misuses);
    json_object_set_new(root, "blind", json_blind(profile));
    json_object_set_new(root, "unseen_inside", json_inside(profile));
    json_object_set_new(root, "unseen", json_texts(profile->unseen.item, profile->unseen.count));
    json_object_set_new(root, "problems",
                        json_texts(profile->problems.item, profile->problems.count));
    json_object_set_new(root, "suppressions", suppressions_json(profile->suppressions));
    json_object_set_new(root, "excesses", excesses_json(profile));
    if (profile->comparison) {
        json_t *baseline = json_changes(profile->comparison, true);
        json_set_text(baseline, "file", profile->comparison->before->source);
        json_object_set_new(root, "baseline", baseline);
    }
    if (profile->threshold_ns)
        json_set_seconds(root, "threshold", profile->threshold_ns);
    if (options->group_by != GROUP_BY_SITE)
        json_object_set_new(root, "groups", groups_json(profile, options->group_by));
    json_print(root, INDENT, out);
}
