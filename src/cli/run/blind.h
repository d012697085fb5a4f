// What a run could not see: code that could have had sessions and was not hooked.
//
// Judges by the run's journal and by the files that it names. "Nothing was found" may be said only
// where nothing of this is. Not thread-safe.
#ifndef UNCLOSED_CLI_RUN_BLIND_H
#define UNCLOSED_CLI_RUN_BLIND_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/run/run.h"
#include "report/report.h"

struct blind_spot {
    char *program;      // path of the executable, "" if it is not about one
    char *reason;       // what was not seen and why, without a full stop
    char *remedy;       // what to do
    unsigned processes; // for which this holds
    bool warning;       // only what might be: it does not count as blind
};

struct blind {
    struct blind_spot *spots;
    size_t count;
    bool any_process; // the recorder was in some process of the run
};

// Finds out. To be called when the command has ended and its traces are where processes wrote them.
// Spots are in the order in which they were met; equal ones are one.
struct blind blind_find(const struct run *run);
void blind_free(struct blind *blind);

// How many spots are no warnings.
size_t blind_count(const struct blind *blind);

// Those that are no warnings, for a report: blind_count of them, to be freed; the texts stay here.
struct profile_blind *blind_spots(const struct blind *blind);

// Prints one line for each on standard error.
void blind_print(const struct blind *blind);

#endif
