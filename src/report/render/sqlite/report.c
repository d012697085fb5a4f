// The report as rows of a SQLite database: runs, processes, totals, pools, events, what was not
// seen. Each report is one more run.
#include "report/render/sqlite/report.h"

#include <inttypes.h>
#include <time.h>

#include "report/render/json/values.h"
#include "report/render/plain.h"
#include "report/render/renderer.h"
#include "report/render/tallies.h"

static const char *now_text(struct arena *arena)
{
    const time_t now = time(NULL);
    struct tm utc;
    char text[32];
    if (!gmtime_r(&now, &utc) || strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", &utc) == 0)
        return "";
    return arena_text(arena, text);
}

static void add_run(struct sqlite_report *report)
{
    const struct profile *profile = report->profile;
    const struct profile_process *first =
        profile->processes.count > 0 ? profile->processes.item[0] : NULL;
    sqlite3_stmt *row =
        database_prepare(&report->database, "INSERT INTO runs VALUES(NULL,?,?,?,?,?,?,?,?,?,?,?)");
    struct arena *arena = profile->arena;
    database_text(arena, row, 1, now_text(arena));
    database_text(arena, row, 3, REPORT_VERSION);
    if (first) {
        database_text(arena, row, 2, json_time_text(arena, first, 0));
        database_text(arena, row, 4, plain_program(first));
        database_text(arena, row, 5, first->header->command);
    }
    database_number(row, 6, profile->processes.count);
    database_number(row, 7, profile->total.opened);
    database_number(row, 8, profile->total.released);
    database_number(row, 9, profile->total.never_closed);
    database_number(row, 10, profile->total.late);
    database_number(row, 11, profile->blind.count);
    report->run = database_add(&report->database, row);
    (void)sqlite3_finalize(row);
}

static void add_processes(struct sqlite_report *report)
{
    const struct profile *profile = report->profile;
    struct arena *arena = profile->arena;
    sqlite3_stmt *row = database_prepare(&report->database,
                                         "INSERT INTO processes VALUES(?,?,?,?,?,?,?,?,?,?,?,?)");
    for (size_t i = 0; i < profile->processes.count; i++) {
        const struct profile_process *process = profile->processes.item[i];
        database_number(row, 1, (uint64_t)report->run);
        database_number(row, 2, process->header->pid);
        database_number(row, 3, process->header->parent_pid);
        database_text(arena, row, 4, process->header->exe);
        database_text(arena, row, 5, process->header->command);
        database_text(arena, row, 6, process->header->directory);
        database_text(arena, row, 7, json_time_text(arena, process, 0));
        sqlite_seconds(row, 8, process->seconds_ns);
        database_text(arena, row, 9, profile_ended(profile, process));
        database_number(row, 10, process->opened);
        database_number(row, 11, process->never_closed);
        database_number(row, 12, process->lost);
        (void)database_add(&report->database, row);
    }
    (void)sqlite3_finalize(row);
}

static void add_totals(struct sqlite_report *report)
{
    struct arena *arena = report->profile->arena;
    sqlite3_stmt *row = database_prepare(&report->database,
                                         arena_format(arena, "INSERT INTO totals VALUES(%s)",
                                                      sqlite_marks(arena, 2 + tally_column_count)));
    for (int kind = TRACE_HANDLE; kind < TRACE_KINDS; kind++) {
        database_number(row, 1, (uint64_t)report->run);
        database_text(arena, row, 2, profile_kind_name((enum trace_kind)kind));
        sqlite_tally(row, 3, &report->profile->totals[kind]);
        (void)database_add(&report->database, row);
    }
    (void)sqlite3_finalize(row);
}

static void bind_pool(struct sqlite_report *report, sqlite3_stmt *row,
                      const struct profile_pool *pool)
{
    struct arena *arena = report->profile->arena;
    database_number(row, 1, (uint64_t)report->run);
    database_text(arena, row, 2, pool->kind);
    database_text(arena, row, 3, pool->name);
    database_text(arena, row, 4, pool->detail);
    if (pool->size != TRACE_UNKNOWN)
        database_number(row, 5, pool->size);
    if (pool->overflow != TRACE_UNKNOWN)
        database_number(row, 6, pool->overflow);
    database_number(row, 7, pool->out);
    database_number(row, 8, pool->idle);
    database_number(row, 9, pool->high_water);
    sqlite_seconds(row, 10, pool->high_water_ns);
    database_number(row, 11, pool->acquires);
    database_number(row, 12, pool->waits);
    sqlite_seconds(row, 13, pool->longest_wait_ns);
    sqlite_seconds(row, 14, pool->total_wait_ns);
    database_number(row, 15, pool->failed);
    database_number(row, 16, pool->timeouts);
}

static void add_pools(struct sqlite_report *report)
{
    sqlite3_stmt *row = database_prepare(
        &report->database, "INSERT INTO pools VALUES(NULL,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)");
    for (size_t i = 0; i < report->profile->pools.count; i++) {
        const struct profile_pool *pool = report->profile->pools.item[i];
        bind_pool(report, row, pool);
        sqlite_keep(report, pool, database_add(&report->database, row));
    }
    (void)sqlite3_finalize(row);
}

static void add_holders(struct sqlite_report *report)
{
    sqlite3_stmt *row = database_prepare(&report->database, "INSERT INTO holders VALUES(?,?,?)");
    for (size_t i = 0; i < report->profile->pools.count; i++) {
        const struct profile_pool *pool = report->profile->pools.item[i];
        for (size_t j = 0; j < pool->holders.count; j++) {
            sqlite_reference(report, row, 1, pool);
            sqlite_reference(report, row, 2, pool->holders.item[j].site);
            database_number(row, 3, pool->holders.item[j].count);
            (void)database_add(&report->database, row);
        }
    }
    (void)sqlite3_finalize(row);
}

static void add_shortages(struct sqlite_report *report, sqlite3_stmt *row)
{
    struct arena *arena = report->profile->arena;
    for (size_t i = 0; i < report->profile->exhaustions.count; i++) {
        const struct profile_exhaustion *exhaustion = report->profile->exhaustions.item[i];
        const int64_t stack = sqlite_stack(report, exhaustion->stack);
        database_number(row, 1, (uint64_t)report->run);
        database_number(row, 2, exhaustion->process->header->pid);
        sqlite_seconds(row, 3, exhaustion->at_ns);
        database_text(arena, row, 4, "shortage");
        database_text(arena, row, 6, exhaustion->thread);
        sqlite_reference(report, row, 7, exhaustion->pool);
        if (stack > 0)
            database_number(row, 9, (uint64_t)stack);
        sqlite_seconds(row, 10, exhaustion->waited_ns);
        database_number(row, 11, exhaustion->failed);
        database_number(row, 12, 1);
        (void)database_add(&report->database, row);
    }
}

static void add_misuses(struct sqlite_report *report, sqlite3_stmt *row)
{
    struct arena *arena = report->profile->arena;
    for (size_t i = 0; i < report->profile->misuses.count; i++) {
        const struct profile_misuse *misuse = report->profile->misuses.item[i];
        const int64_t stack = sqlite_stack(report, misuse->stack);
        database_number(row, 1, (uint64_t)report->run);
        database_number(row, 2, misuse->process->header->pid);
        sqlite_seconds(row, 3, misuse->first_ns);
        database_text(arena, row, 4, profile_misuse_name(misuse->kind));
        database_text(arena, row, 5, misuse->function);
        database_text(arena, row, 6, misuse->thread);
        sqlite_reference(report, row, 8, misuse->site);
        if (stack > 0)
            database_number(row, 9, (uint64_t)stack);
        database_number(row, 12, misuse->count);
        (void)database_add(&report->database, row);
    }
}

static void add_events(struct sqlite_report *report)
{
    sqlite3_stmt *row =
        database_prepare(&report->database, "INSERT INTO events VALUES(?,?,?,?,?,?,?,?,?,?,?,?)");
    add_shortages(report, row);
    add_misuses(report, row);
    (void)sqlite3_finalize(row);
}

static void add_blind(struct sqlite_report *report)
{
    struct arena *arena = report->profile->arena;
    sqlite3_stmt *row = database_prepare(&report->database, "INSERT INTO blind VALUES(?,?,?,?)");
    for (size_t i = 0; i < report->profile->blind.count; i++) {
        const struct profile_blind *blind = report->profile->blind.item[i];
        database_number(row, 1, (uint64_t)report->run);
        database_text(arena, row, 2, blind->program);
        database_text(arena, row, 3, blind->reason);
        database_text(arena, row, 4, blind->remedy);
        (void)database_add(&report->database, row);
    }
    (void)sqlite3_finalize(row);
}

const char *sqlite_file(const struct profile *profile, const struct render_options *options,
                        const char *path)
{
    struct sqlite_report report = {
        .profile = profile,
        .options = options,
        .database = database_open(profile->arena, path),
    };
    if (!report.database.fault) {
        add_run(&report);
        add_processes(&report);
        add_totals(&report);
        add_pools(&report);
        sqlite_begin_stacks(&report);
        sqlite_add_sites(&report);
        add_holders(&report);
        add_events(&report);
        sqlite_end_stacks(&report);
        add_blind(&report);
    }
    map_clear(&report.numbers);
    map_clear(&report.frames);
    return database_close(&report.database);
}
