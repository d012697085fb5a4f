// Values of rows, and which rows things have become: see report.h.
#include "report/render/sqlite/report.h"

#include "report/render/tallies.h"

void sqlite_seconds(sqlite3_stmt *row, int column, uint64_t ns)
{
    (void)sqlite3_bind_double(row, column, (double)ns / 1e9);
}

const char *sqlite_marks(struct arena *arena, size_t count)
{
    const char *marks = "";
    for (size_t i = 0; i < count; i++)
        marks = arena_format(arena, "%s%s?", marks, i > 0 ? "," : "");
    return marks;
}

void sqlite_tally(sqlite3_stmt *row, int column, const struct profile_tally *tally)
{
    for (size_t i = 0; i < tally_column_count; i++)
        database_number(row, column + (int)i, tally_value(tally, &tally_columns[i]));
}

// Rows of what has numbers by now are found by its address.
void sqlite_keep(struct sqlite_report *report, const void *thing, int64_t number)
{
    if (number > 0 && !map_get(&report->numbers, &thing, sizeof thing))
        map_add(report->profile->arena, &report->numbers, &thing, sizeof thing,
                (void *)(uintptr_t)number); // NOLINT(performance-no-int-to-ptr)
}

int64_t sqlite_number_of(const struct sqlite_report *report, const void *thing)
{
    return thing ? (int64_t)(uintptr_t)map_get(&report->numbers, &thing, sizeof thing) : 0;
}

void sqlite_reference(const struct sqlite_report *report, sqlite3_stmt *row, int column,
                      const void *thing)
{
    const int64_t number = sqlite_number_of(report, thing);
    if (number > 0)
        database_number(row, column, (uint64_t)number);
}
