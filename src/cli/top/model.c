// From profiles to rows: see model.h.
#include "cli/top/model.h"

#include <stdlib.h>
#include <string.h>

#include "report/code/map.h"
#include "report/render/text/sheet.h"

#include "cli/top/track.h"

struct top_model {
    struct arena *arena; // of the tracks
    struct map tracks;   // struct top_track, by key
    struct profile *profile;
    struct top_row *rows; // all of them, unsorted; of the profile's arena
    struct top_snapshot snapshot;
    enum top_key key;
    bool reversed;
    char *filter;
    struct top_track readings;  // when they were made
    uint64_t before_ns, now_ns; // of the reading before, and of the last one
};

struct top_model *top_model_new(void)
{
    struct arena *arena = arena_new();
    struct top_model *model = arena_take(arena, sizeof *model);
    model->arena = arena;
    return model;
}

void top_model_free(struct top_model *model)
{
    if (!model)
        return;
    profile_free(model->profile);
    map_clear(&model->tracks);
    free(model->filter);
    arena_free(model->arena);
}

const struct top_snapshot *top_model_snapshot(const struct top_model *model)
{
    return &model->snapshot;
}

// The track of a site or pool, with its numbers of now added to it.
static const struct top_track *follow(struct top_model *model, const char *key, uint64_t held,
                                      uint64_t opened)
{
    struct top_track *track = map_get_text(&model->tracks, key);
    if (!track) {
        track = arena_take(model->arena, sizeof *track);
        map_add_text(model->arena, &model->tracks, key, track);
        if (model->readings.count > 1) // it was not there in the reading before
            top_track_add(track, model->before_ns, 0, 0);
    }
    top_track_add(track, model->now_ns, held, opened);
    return track;
}

// While there is only one reading the rate is the average of all the time the process was traced.
static double rate_of(const struct top_model *model, const struct top_track *track,
                      const struct profile_process *process, uint64_t opened)
{
    if (model->snapshot.rate_ns > 0)
        return top_track_rate(track, model->now_ns);
    double seconds = process ? (double)process->seconds_ns / (double)TOP_SECOND : 0;
    return seconds > 0 ? (double)opened / seconds : 0;
}

static void finish_row(struct top_model *model, struct top_row *row)
{
    const struct top_track *track = follow(model, row->id, row->held, row->opened);
    row->growth = top_track_growth(track, model->now_ns);
    row->rate = rate_of(model, track, row->site ? row->site->process : NULL, row->opened);
    model->snapshot.held[row->kind] += row->held;
}

static void add_site(struct top_model *model, const struct profile_site *site)
{
    struct top_row *row = &model->rows[model->snapshot.all_count++];
    *row = (struct top_row){
        .site = site,
        .id = site->id,
        .kind = site->kind,
        // What interpreter shutdown closed was held up to then.
        .held = site->tally.live + site->tally.refused + site->tally.zombie + site->tally.shutdown +
                site->tally.under_way,
        .oldest_ns = site->longest_live_ns,
        .opened = site->tally.opened,
        .reclaimed = site->tally.reclaimed - site->tally.shutdown,
    };
    model->snapshot.in_transaction += site->in_transaction;
}

static struct top_row *row_of(struct top_model *model, const struct profile_site *site)
{
    size_t i = 0;
    while (model->rows[i].site != site)
        i++;
    return &model->rows[i];
}

// Sessions whose acquire was not seen, which no tally counts: they belong to the site of where
// they are, if that is known, else to one row for each kind.
static void add_inherited(struct top_model *model)
{
    static const char *const ids[TRACE_KINDS] = {"inherited", "inherited handle",
                                                 "inherited checkout", "inherited session",
                                                 "inherited statement"};
    struct top_row found[TRACE_KINDS] = {0};
    for (size_t i = 0; i < model->profile->sessions.count; i++) {
        const struct profile_session *session = model->profile->sessions.item[i];
        if (!(session->flags & TRACE_SESSION_INHERITED) && session->site)
            continue;
        if ((session->flags & TRACE_SESSION_POOLED) ||
            session->age_ns < model->profile->threshold_ns)
            continue;
        struct top_row *row = session->site ? row_of(model, session->site) : &found[session->kind];
        row->held++;
        if (session->unseen)
            model->snapshot.pre_existing_held++;
        else
            model->snapshot.inherited_held++;
        if (session->age_ns > row->oldest_ns)
            row->oldest_ns = session->age_ns;
    }
    for (int kind = 0; kind < TRACE_KINDS; kind++) {
        if (found[kind].held == 0)
            continue;
        struct top_row *row = &model->rows[model->snapshot.all_count++];
        *row = found[kind];
        row->id = ids[kind];
        row->kind = (enum trace_kind)kind;
    }
}

static double fullness(const struct profile_pool *pool)
{
    uint64_t capacity = profile_pool_capacity(pool);
    return capacity ? (double)pool->out / (double)capacity : 0;
}

static int compare_pools(const void *a, const void *b)
{
    const struct profile_pool *x = ((const struct top_pool *)a)->pool;
    const struct profile_pool *y = ((const struct top_pool *)b)->pool;
    uint64_t waiting[] = {x->waiting_known ? x->waiting : 0, y->waiting_known ? y->waiting : 0};
    if (waiting[0] != waiting[1])
        return waiting[0] > waiting[1] ? -1 : 1;
    double full[] = {fullness(x), fullness(y)};
    if (full[0] != full[1])
        return full[0] > full[1] ? -1 : 1;
    if (x->out != y->out)
        return x->out > y->out ? -1 : 1;
    return strcmp(x->name, y->name);
}

static void add_pools(struct top_model *model)
{
    struct profile *profile = model->profile;
    struct top_snapshot *snapshot = &model->snapshot;
    snapshot->pools =
        arena_take(profile->arena, (profile->pools.count + 1) * sizeof(struct top_pool));
    for (size_t i = 0; i < profile->pools.count; i++) {
        const struct profile_pool *pool = profile->pools.item[i];
        const char *key =
            arena_format(profile->arena, "pool %s|%s|%s|%llx|%u", pool->kind, pool->name,
                         pool->detail, (unsigned long long)pool->address, pool->size);
        const struct top_track *track = follow(model, key, pool->out, pool->acquires);
        snapshot->pools[snapshot->pool_count++] = (struct top_pool){
            .pool = pool, .rate = rate_of(model, track, pool->process, pool->acquires)};
    }
    list_sort(snapshot->pools, snapshot->pool_count, sizeof *snapshot->pools, compare_pools);
}

const char *top_row_name(const struct top_snapshot *snapshot, struct top_row *row)
{
    if (!row->name)
        row->name = row->site ? sheet_frame(snapshot->profile->arena, row->site->name,
                                            row->site->process->header->directory)
                              : "(open before the trace began)";
    return row->name;
}

static int larger_first(double a, double b)
{
    return (a < b) - (a > b);
}

static int compare_by(enum top_key key, const struct top_row *x, const struct top_row *y)
{
    switch (key) {
    case TOP_HELD:
        return larger_first((double)x->held, (double)y->held);
    case TOP_GROWTH:
        return larger_first((double)x->growth, (double)y->growth);
    case TOP_OLDEST: // those that hold nothing come last
        return larger_first((double)x->oldest_ns, (double)y->oldest_ns);
    case TOP_KIND:
        return (x->kind > y->kind) - (x->kind < y->kind);
    case TOP_OPENED:
        return larger_first((double)x->opened, (double)y->opened);
    case TOP_RATE:
        return larger_first(x->rate, y->rate);
    case TOP_RECLAIMED:
        return larger_first((double)x->reclaimed, (double)y->reclaimed);
    case TOP_NAME:
        return strcmp(x->name ? x->name : "", y->name ? y->name : "");
    case TOP_KEYS:
        break;
    }
    return 0;
}

static int compare_places(const struct top_row *x, const struct top_row *y)
{
    const struct frame *a = x->site ? x->site->name : NULL;
    const struct frame *b = y->site ? y->site->name : NULL;
    int order = a && b && a->file && b->file ? strcmp(a->file, b->file) : 0;
    if (order == 0 && a && b)
        order = (a->line > b->line) - (a->line < b->line);
    return order ? order : strcmp(x->id, y->id);
}

// Equal rows keep their places from one reading to the next.
static int compare_rows(const void *a, const void *b, void *data)
{
    const struct top_model *model = data;
    int order = compare_by(model->key, a, b);
    if (model->reversed)
        order = -order;
    static const enum top_key then[] = {TOP_HELD, TOP_GROWTH, TOP_OPENED};
    for (size_t i = 0; order == 0 && i < sizeof then / sizeof then[0]; i++)
        order = compare_by(then[i], a, b);
    return order ? order : compare_places(a, b);
}

// Chooses and sorts the rows that are shown.
static void arrange(struct top_model *model)
{
    struct top_snapshot *snapshot = &model->snapshot;
    bool filtered = model->filter && model->filter[0];
    snapshot->row_count = 0;
    for (size_t i = 0; i < snapshot->all_count; i++) {
        struct top_row *row = &model->rows[i];
        if (filtered || model->key == TOP_NAME)
            (void)top_row_name(snapshot, row);
        if (!filtered || strcasestr(row->name, model->filter))
            snapshot->rows[snapshot->row_count++] = *row;
    }
    if (snapshot->row_count > 1)
        qsort_r(snapshot->rows, snapshot->row_count, sizeof *snapshot->rows, compare_rows, model);
}

static bool goes_on(const struct profile_process *process, const struct profile *profile)
{
    for (size_t i = 0; i < profile->processes.count; i++) {
        const struct trace_header *header = profile->processes.item[i]->header;
        if (header->pid == process->header->pid && header->start_ns == process->header->start_ns)
            return true;
    }
    return false;
}

// Forgets what was counted before, if it was in other traces: after a second attach all begins
// anew.
static void forget_others(struct top_model *model, const struct profile *profile)
{
    for (size_t i = 0; model->profile && i < model->profile->processes.count; i++)
        if (goes_on(model->profile->processes.item[i], profile))
            return;
    map_clear(&model->tracks);
    model->readings.count = 0;
}

void top_model_take(struct top_model *model, struct profile *profile, uint64_t now_ns)
{
    forget_others(model, profile);
    profile_free(model->profile);
    model->profile = profile;
    model->before_ns = model->now_ns;
    model->now_ns = now_ns;
    top_track_add(&model->readings, now_ns, 0, 0);
    struct top_snapshot *snapshot = &model->snapshot;
    *snapshot = (struct top_snapshot){
        .profile = profile,
        .number = snapshot->number + 1,
        .growth_ns = top_track_span(&model->readings, now_ns, TOP_GROWTH_NS),
        .rate_ns = top_track_span(&model->readings, now_ns, TOP_RATE_NS),
        .ended = profile->running == 0,
    };
    size_t room = profile->sites.count + TRACE_KINDS;
    model->rows = arena_take(profile->arena, room * sizeof *model->rows);
    snapshot->rows = arena_take(profile->arena, room * sizeof *snapshot->rows);
    for (size_t i = 0; i < profile->processes.count; i++)
        snapshot->lost += profile->processes.item[i]->lost;
    for (size_t i = 0; i < profile->sites.count; i++)
        add_site(model, profile->sites.item[i]);
    add_inherited(model);
    for (size_t i = 0; i < snapshot->all_count; i++)
        finish_row(model, &model->rows[i]);
    add_pools(model);
    arrange(model);
}

void top_model_sort(struct top_model *model, enum top_key key, bool reversed)
{
    model->key = key;
    model->reversed = reversed;
    if (model->profile)
        arrange(model);
}

void top_model_filter(struct top_model *model, const char *text)
{
    free(model->filter);
    model->filter = strdup(text);
    if (!model->filter)
        memory_exhausted();
    if (model->profile)
        arrange(model);
}

size_t top_row_find(const struct top_snapshot *snapshot, const char *id)
{
    size_t i = 0;
    while (i < snapshot->row_count && strcmp(snapshot->rows[i].id, id) != 0)
        i++;
    return i;
}
