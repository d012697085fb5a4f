// Sites, their names and their stacks as rows: see report.h.
#include "report/render/sqlite/report.h"

#include "report/profile/site_key.h"
#include "report/render/plain.h"
#include "report/render/tallies.h"

enum { SITE_COLUMNS = 17 }; // before the tally, without the row's number

void sqlite_begin_stacks(struct sqlite_report *report)
{
    sqlite3_stmt *last =
        database_prepare(&report->database, "SELECT coalesce(max(stack), 0) FROM stacks");
    if (last && sqlite3_step(last) == SQLITE_ROW)
        report->stacks = sqlite3_column_int64(last, 0);
    (void)sqlite3_finalize(last);
    report->frame_row =
        database_prepare(&report->database, "INSERT INTO frames VALUES(NULL,?,?,?,?,?,?,?)");
    report->stack_row = database_prepare(&report->database, "INSERT INTO stacks VALUES(?,?,?)");
}

void sqlite_end_stacks(struct sqlite_report *report)
{
    (void)sqlite3_finalize(report->frame_row);
    (void)sqlite3_finalize(report->stack_row);
}

static int64_t add_frame(struct sqlite_report *report, const struct frame *frame)
{
    static const char *const owners[] = {
        [FRAME_LIBRARY] = "library", [FRAME_INTERPRETER] = "interpreter", [FRAME_USER] = "user"};
    struct arena *arena = report->profile->arena;
    sqlite3_stmt *row = report->frame_row;
    database_text(arena, row, 1, plain_function(frame));
    database_text(arena, row, 2, frame->file);
    if (frame->line)
        database_number(row, 3, frame->line);
    database_text(arena, row, 4, frame->module);
    if (!frame->runtime)
        database_number(row, 5, frame->offset);
    database_text(arena, row, 6, frame->language);
    database_text(arena, row, 7, owners[frame->owner]);
    return database_add(&report->database, row);
}

// Equal frames of a run are one row.
static int64_t frame_number(struct sqlite_report *report, const struct frame *frame)
{
    struct arena *arena = report->profile->arena;
    const char *key = arena_format(arena, "%s\n%s\n%u\n%s\n%llx", plain_function(frame),
                                   frame->file ? frame->file : "", frame->line,
                                   frame->module ? frame->module : "",
                                   frame->runtime ? 0ULL : (unsigned long long)frame->offset);
    int64_t number = (int64_t)(uintptr_t)map_get_text(&report->frames, key);
    if (number > 0)
        return number;
    number = add_frame(report, frame);
    if (number > 0)
        map_add_text(arena, &report->frames, key,
                     (void *)(uintptr_t)number); // NOLINT(performance-no-int-to-ptr)
    return number;
}

int64_t sqlite_stack(struct sqlite_report *report, const struct frames *stack)
{
    if (!stack || stack->count == 0)
        return 0;
    const int64_t known = sqlite_number_of(report, stack);
    if (known > 0)
        return known;
    const int64_t number = ++report->stacks;
    for (size_t i = 0; i < stack->count; i++) {
        database_number(report->stack_row, 1, (uint64_t)number);
        database_number(report->stack_row, 2, i);
        database_number(report->stack_row, 3, (uint64_t)frame_number(report, &stack->frame[i]));
        (void)database_add(&report->database, report->stack_row);
    }
    sqlite_keep(report, stack, number);
    return number;
}

static void bind_site(struct sqlite_report *report, sqlite3_stmt *row,
                      const struct profile_site *site, const struct site_key *key, int64_t stack)
{
    const struct profile *profile = report->profile;
    struct arena *arena = profile->arena;
    const enum finding finding = finding_of(&site->tally);
    database_number(row, 1, (uint64_t)report->run);
    database_text(arena, row, 2, site->id);
    database_text(arena, row, 3, key->text);
    database_text(arena, row, 4, profile_kind_name(site->kind));
    database_text(arena, row, 5, finding == FINDINGS ? "" : finding_words[finding].name);
    database_text(arena, row, 6, plain_function(site->name));
    database_text(arena, row, 7, site->name ? site->name->file : "");
    if (site->name && site->name->line)
        database_number(row, 8, site->name->line);
    database_text(arena, row, 9, site->name ? site->name->module : "");
    database_text(arena, row, 10, profile_pattern(site));
    database_text(arena, row, 11,
                  profile_code(profile, site->name, site->process->header->directory));
    database_text(arena, row, 12, site->function);
    sqlite_reference(report, row, 13, site->pool);
    if (stack > 0)
        database_number(row, 14, (uint64_t)stack);
    sqlite_seconds(row, 15, site->longest_ns);
    sqlite_seconds(row, 16, site->hold_ns);
    database_number(row, SITE_COLUMNS, site->holds);
    sqlite_tally(row, SITE_COLUMNS + 1, &site->tally);
}

static void add_names(struct sqlite_report *report, sqlite3_stmt *row,
                      const struct profile_site *site, const char *what, const profile_names *names)
{
    struct arena *arena = report->profile->arena;
    for (size_t i = 0; i < names->count; i++) {
        sqlite_reference(report, row, 1, site);
        database_text(arena, row, 2, what);
        database_text(arena, row, 3, names->item[i].name);
        database_number(row, 4, names->item[i].count);
        (void)database_add(&report->database, row);
    }
}

// Tests with their sessions never closed, the others with how often they were met.
static void add_site_names(struct sqlite_report *report, sqlite3_stmt *row,
                           const struct profile_site *site)
{
    struct arena *arena = report->profile->arena;
    for (size_t i = 0; i < site->by_test.count; i++) {
        sqlite_reference(report, row, 1, site);
        database_text(arena, row, 2, "test");
        database_text(arena, row, 3, site->by_test.item[i].name);
        database_number(row, 4, site->by_test.item[i].never_closed);
        (void)database_add(&report->database, row);
    }
    add_names(report, row, site, "thread", &site->threads);
    add_names(report, row, site, "task", &site->tasks);
    add_names(report, row, site, "database", &site->databases);
    add_names(report, row, site, "statement", &site->details);
}

void sqlite_add_sites(struct sqlite_report *report)
{
    const struct profile *profile = report->profile;
    struct arena *arena = profile->arena;
    const struct site_key *keys = site_keys_make(profile, report->options->root);
    sqlite3_stmt *row = database_prepare(
        &report->database, arena_format(arena, "INSERT INTO sites VALUES(NULL,%s)",
                                        sqlite_marks(arena, SITE_COLUMNS + tally_column_count)));
    sqlite3_stmt *name_row =
        database_prepare(&report->database, "INSERT INTO names VALUES(?,?,?,?)");
    for (size_t i = 0; i < profile->sites.count; i++) {
        const struct profile_site *site = profile->sites.item[i];
        const int64_t stack = sqlite_stack(report, site->stack);
        bind_site(report, row, site, &keys[i], stack);
        sqlite_keep(report, site, database_add(&report->database, row));
        add_site_names(report, name_row, site);
    }
    (void)sqlite3_finalize(row);
    (void)sqlite3_finalize(name_row);
}
