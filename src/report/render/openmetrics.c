// The report as OpenMetrics text, for Prometheus and what understands it.
//
// Pools have the names of OpenTelemetry's semantic conventions (db.client.connection.*), as their
// exporters spell them; what these have no name for begins with "unclosed_". Numbers of label
// values are bounded: a program that makes up pools or sites must not fill a metrics store.
#include <inttypes.h>

#include "report/render/plain.h"
#include "report/render/renderer.h"
#include "report/render/tallies.h"

enum { MOST_POOLS = 100, MOST_SITES = 50, MOST_BYTES = 120 };

// Pools with names that are different from each other.
struct metrics {
    const struct profile *profile;
    FILE *out;
    size_t pools;       // shown
    const char **names; // of these; not escaped
};

static const char *escape(char character)
{
    switch (character) {
    case '\\':
        return "\\\\";
    case '"':
        return "\\\"";
    default: // a newline is clean text's no more
        return NULL;
    }
}

static void put_label(const char *name, const char *value, FILE *out)
{
    fprintf(out, "%s=\"", name);
    plain_print(value, escape, out);
    putc('"', out);
}

// type: as OpenMetrics says it. unit: "" for none.
static void put_family(const char *name, const char *type, const char *unit, const char *help,
                       FILE *out)
{
    fprintf(out, "# TYPE %s %s\n", name, type);
    if (*unit)
        fprintf(out, "# UNIT %s %s\n", name, unit);
    fprintf(out, "# HELP %s %s\n", name, help);
}

static bool is_taken(const struct metrics *metrics, size_t count, const char *name)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(metrics->names[i], name) == 0)
            return true;
    return false;
}

// Two pools may have one name, or names that are the same once cleaned and cut.
static void name_pools(struct metrics *metrics)
{
    struct arena *arena = metrics->profile->arena;
    const size_t count = metrics->profile->pools.count;
    metrics->pools = count < MOST_POOLS ? count : MOST_POOLS;
    metrics->names = arena_take(arena, (metrics->pools + 1) * sizeof *metrics->names);
    for (size_t i = 0; i < metrics->pools; i++) {
        const char *name = plain_text(
            arena, profile_pool_name(arena, metrics->profile->pools.item[i]), MOST_BYTES);
        const char *unique = name;
        for (unsigned number = 2; is_taken(metrics, i, unique); number++)
            unique = arena_format(arena, "%s #%u", name, number);
        metrics->names[i] = unique;
    }
}

static void begin_sample(const struct metrics *metrics, const char *name, size_t pool)
{
    fprintf(metrics->out, "%s{", name);
    put_label("db_client_connection_pool_name", metrics->names[pool], metrics->out);
}

static void put_pool_sample(const struct metrics *metrics, const char *name, size_t pool,
                            uint64_t value)
{
    begin_sample(metrics, name, pool);
    fprintf(metrics->out, "} %" PRIu64 "\n", value);
}

static void put_state(const struct metrics *metrics, size_t pool, const char *state, uint64_t value)
{
    begin_sample(metrics, "db_client_connection_count", pool);
    fprintf(metrics->out, ",db_client_connection_state=\"%s\"} %" PRIu64 "\n", state, value);
}

static void put_counts(const struct metrics *metrics)
{
    put_family("db_client_connection_count", "gauge", "",
               "Connections that are in the state described by the state label.", metrics->out);
    for (size_t i = 0; i < metrics->pools; i++) {
        const struct profile_pool *pool = metrics->profile->pools.item[i];
        put_state(metrics, i, "used", pool->out);
        put_state(metrics, i, "idle", pool->idle);
    }
    put_family("db_client_connection_max", "gauge", "",
               "The most connections that the pool allows.", metrics->out);
    for (size_t i = 0; i < metrics->pools; i++) {
        const struct profile_pool *pool = metrics->profile->pools.item[i];
        if (profile_pool_capacity(pool) > 0)
            put_pool_sample(metrics, "db_client_connection_max", i, profile_pool_capacity(pool));
    }
    put_family("db_client_connection_pending_requests", "gauge", "",
               "Acquires that wait for a connection now.", metrics->out);
    for (size_t i = 0; i < metrics->pools; i++)
        if (metrics->profile->pools.item[i]->waiting_known)
            put_pool_sample(metrics, "db_client_connection_pending_requests", i,
                            metrics->profile->pools.item[i]->waiting);
    put_family("db_client_connection_timeouts", "counter", "",
               "Acquires that got no connection in time.", metrics->out);
    for (size_t i = 0; i < metrics->pools; i++)
        put_pool_sample(metrics, "db_client_connection_timeouts_total", i,
                        metrics->profile->pools.item[i]->timeouts);
}

// Buckets as a trace has them: bucket i has what took less than unit_ns << i.
struct histogram {
    const uint64_t *buckets;
    int count;
    uint64_t unit_ns;
    uint64_t
        sum_ns; // UINT64_MAX: not known; then there is neither sum nor count, as the format says
};

static void put_histogram(const struct metrics *metrics, const char *family, size_t pool,
                          const struct histogram *histogram)
{
    FILE *out = metrics->out;
    char name[96];
    uint64_t count = 0;
    (void)snprintf(name, sizeof name, "%s_bucket", family);
    for (int i = 0; i < histogram->count; i++) {
        count += histogram->buckets[i];
        begin_sample(metrics, name, pool);
        if (i + 1 < histogram->count)
            fprintf(out, ",le=\"%.10g\"} %" PRIu64 "\n", (double)(histogram->unit_ns << i) / 1e9,
                    count);
        else
            fprintf(out, ",le=\"+Inf\"} %" PRIu64 "\n", count);
    }
    if (histogram->sum_ns == UINT64_MAX)
        return;
    (void)snprintf(name, sizeof name, "%s_count", family);
    put_pool_sample(metrics, name, pool, count);
    (void)snprintf(name, sizeof name, "%s_sum", family);
    begin_sample(metrics, name, pool);
    fprintf(out, "} %.9f\n", (double)histogram->sum_ns / 1e9);
}

// How long acquires and the making of connections took.
static void put_took(const struct metrics *metrics, const char *family, const char *help,
                     size_t offset)
{
    put_family(family, "histogram", "seconds", help, metrics->out);
    for (size_t i = 0; i < metrics->pools; i++) {
        const struct histogram histogram = {
            (const uint64_t *)((const char *)metrics->profile->pools.item[i] + offset),
            TRACE_TOOK_BUCKETS, UINT64_C(1) << TRACE_TOOK_SHIFT, UINT64_MAX};
        put_histogram(metrics, family, i, &histogram);
    }
}

// The ended holds of the sites that took from the pool.
static void put_use_times(const struct metrics *metrics)
{
    put_family("db_client_connection_use_time_seconds", "histogram", "seconds",
               "For how long connections were used that have been given back.", metrics->out);
    for (size_t i = 0; i < metrics->pools; i++) {
        uint64_t buckets[TRACE_HOLD_BUCKETS] = {0}, sum_ns = 0;
        for (size_t j = 0; j < metrics->profile->sites.count; j++) {
            const struct profile_site *site = metrics->profile->sites.item[j];
            if (site->pool != metrics->profile->pools.item[i] || site->kind != TRACE_CHECKOUT)
                continue;
            for (int bucket = 0; bucket < TRACE_HOLD_BUCKETS; bucket++)
                buckets[bucket] += site->held[bucket];
            sum_ns += site->hold_ns;
        }
        const struct histogram histogram = {buckets, TRACE_HOLD_BUCKETS, 1000, sum_ns};
        put_histogram(metrics, "db_client_connection_use_time_seconds", i, &histogram);
    }
}

static void put_own_of_pools(const struct metrics *metrics)
{
    put_family("unclosed_pool_high_water", "gauge", "",
               "The most connections that were used at once.", metrics->out);
    for (size_t i = 0; i < metrics->pools; i++)
        put_pool_sample(metrics, "unclosed_pool_high_water", i,
                        metrics->profile->pools.item[i]->high_water);
    put_family("unclosed_pool_waits", "counter", "",
               "Acquires that waited for somebody else's release.", metrics->out);
    for (size_t i = 0; i < metrics->pools; i++)
        put_pool_sample(metrics, "unclosed_pool_waits_total", i,
                        metrics->profile->pools.item[i]->waits);
    put_family("unclosed_pools_left_out", "gauge", "", "Pools that are not listed.", metrics->out);
    fprintf(metrics->out, "unclosed_pools_left_out %zu\n",
            metrics->profile->pools.count - metrics->pools);
}

static void put_kinds(const struct metrics *metrics, const char *family, const char *suffix,
                      size_t offset)
{
    const struct tally_column column = {family, offset};
    for (int kind = TRACE_HANDLE; kind < TRACE_KINDS; kind++)
        fprintf(metrics->out, "%s%s{kind=\"%s\"} %" PRIu64 "\n", family, suffix,
                profile_kind_name((enum trace_kind)kind),
                tally_value(&metrics->profile->totals[kind], &column));
}

static void put_totals(const struct metrics *metrics)
{
    FILE *out = metrics->out;
    put_family("unclosed_opened", "counter", "", "Sessions that were acquired.", out);
    put_kinds(metrics, "unclosed_opened", "_total", offsetof(struct profile_tally, opened));
    put_family("unclosed_released", "counter", "", "Sessions that the code gave back.", out);
    put_kinds(metrics, "unclosed_released", "_total", offsetof(struct profile_tally, released));
    put_family("unclosed_late", "counter", "",
               "Sessions that were given back after more than the threshold.", out);
    put_kinds(metrics, "unclosed_late", "_total", offsetof(struct profile_tally, late));
    // No counter: a session that is held now may still be given back.
    put_family("unclosed_never_closed", "gauge", "", "Sessions that no code gave back.", out);
    for (int kind = TRACE_HANDLE; kind < TRACE_KINDS; kind++)
        for (int finding = 0; finding < FINDING_LATE; finding++)
            fprintf(out, "unclosed_never_closed{kind=\"%s\",finding=\"%s\"} %" PRIu64 "\n",
                    profile_kind_name((enum trace_kind)kind), finding_words[finding].name,
                    finding_count(&metrics->profile->totals[kind], (enum finding)finding));
}

static void put_site(const struct metrics *metrics, const struct profile_site *site)
{
    struct arena *arena = metrics->profile->arena;
    const char *directory = site->process->header->directory;
    fputs("unclosed_site_never_closed{", metrics->out);
    put_label("site", site->id, metrics->out);
    fprintf(metrics->out, ",kind=\"%s\",", profile_kind_name(site->kind));
    put_label("place", plain_text(arena, plain_place(arena, site->name, directory), MOST_BYTES),
              metrics->out);
    putc(',', metrics->out);
    put_label("function", plain_text(arena, plain_function(site->name), MOST_BYTES), metrics->out);
    fprintf(metrics->out, "} %" PRIu64 "\n", site->tally.never_closed);
}

// The worst ones, which come first.
static void put_sites(const struct metrics *metrics)
{
    size_t shown = 0, left = 0;
    put_family("unclosed_site_never_closed", "gauge", "",
               "Sessions that no code gave back, of the sites with the most.", metrics->out);
    for (size_t i = 0; i < metrics->profile->sites.count; i++) {
        const struct profile_site *site = metrics->profile->sites.item[i];
        if (site->tally.never_closed == 0)
            continue;
        if (shown == MOST_SITES) {
            left++;
            continue;
        }
        put_site(metrics, site);
        shown++;
    }
    put_family("unclosed_sites_left_out", "gauge", "",
               "Sites with sessions that no code gave back "
               "that are not listed.",
               metrics->out);
    fprintf(metrics->out, "unclosed_sites_left_out %zu\n", left);
}

static void put_recording(const struct metrics *metrics)
{
    const struct profile *profile = metrics->profile;
    uint64_t lost = 0;
    for (size_t i = 0; i < profile->processes.count; i++)
        lost += profile->processes.item[i]->lost;
    put_family("unclosed_processes", "gauge", "", "Processes with traces.", metrics->out);
    fprintf(metrics->out, "unclosed_processes %zu\n", profile->processes.count);
    put_family("unclosed_processes_running", "gauge", "", "Of these, those that run.",
               metrics->out);
    fprintf(metrics->out, "unclosed_processes_running %" PRIu64 "\n", profile->running);
    put_family("unclosed_lost_records", "counter", "", "Records that were lost.", metrics->out);
    fprintf(metrics->out, "unclosed_lost_records_total %" PRIu64 "\n", lost);
    put_family("unclosed_blind_spots", "gauge", "",
               "Things that sessions may have gone unseen by: if any, 0 never closed is no fact.",
               metrics->out);
    fprintf(metrics->out, "unclosed_blind_spots %zu\n", profile->blind.count);
}

void openmetrics_report(const struct profile *profile, const struct render_options *options,
                        FILE *out)
{
    struct metrics metrics = {.profile = profile, .out = out};
    (void)options; // the number of label values is bounded anyway
    name_pools(&metrics);
    put_counts(&metrics);
    put_use_times(&metrics);
    put_took(&metrics, "db_client_connection_wait_time_seconds",
             "How long it took to get a connection.", offsetof(struct profile_pool, got));
    put_took(&metrics, "db_client_connection_create_time_seconds",
             "How long it took to make a connection.", offsetof(struct profile_pool, created));
    put_own_of_pools(&metrics);
    put_totals(&metrics);
    put_sites(&metrics);
    put_recording(&metrics);
    fputs("# EOF\n", out);
}
