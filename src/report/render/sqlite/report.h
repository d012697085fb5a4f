// What the parts of the SQLite renderer share with each other only.
#ifndef UNCLOSED_REPORT_RENDER_SQLITE_REPORT_H
#define UNCLOSED_REPORT_RENDER_SQLITE_REPORT_H

#include "report/code/map.h"
#include "report/profile/profile.h"
#include "report/render/renderer.h"
#include "report/render/sqlite/database.h"

struct sqlite_report {
    const struct profile *profile;
    const struct render_options *options;
    struct database database;
    int64_t run;
    int64_t stacks;                      // the number of the last one
    struct map numbers;                  // of rows, by address: pools, sites, stacks
    struct map frames;                   // of rows, by content
    sqlite3_stmt *frame_row, *stack_row; // that are being added
};

// A stack's number; 0: it is empty.
void sqlite_begin_stacks(struct sqlite_report *report);
int64_t sqlite_stack(struct sqlite_report *report, const struct frames *stack);
void sqlite_end_stacks(struct sqlite_report *report);

void sqlite_add_sites(struct sqlite_report *report);

// Numbers of the rows that things have become, by their addresses; 0: none.
void sqlite_keep(struct sqlite_report *report, const void *thing, int64_t number);
int64_t sqlite_number_of(const struct sqlite_report *report, const void *thing);

// Values of rows.
void sqlite_seconds(sqlite3_stmt *row, int column, uint64_t ns);
void sqlite_tally(sqlite3_stmt *row, int column, const struct profile_tally *tally);
void sqlite_reference(const struct sqlite_report *report, sqlite3_stmt *row, int column,
                      const void *thing);
const char *sqlite_marks(struct arena *arena, size_t count); // "?,?,?"

#endif
