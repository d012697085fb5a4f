// The numbers of a tally with their names, as all formats for programs call them.
//
// Knows no format. Thread-safe: constant.
#ifndef UNCLOSED_REPORT_RENDER_TALLIES_H
#define UNCLOSED_REPORT_RENDER_TALLIES_H

#include "report/profile/profile.h"

struct tally_column {
    const char *name; // letters and "_"
    size_t offset;    // in struct profile_tally
};

extern const struct tally_column tally_columns[];
extern const size_t tally_column_count;

uint64_t tally_value(const struct profile_tally *tally, const struct tally_column *column);

// What can be wrong with the sessions of a site, the worst first.
enum finding {
    FINDING_LIVE = 0,
    FINDING_REFUSED,
    FINDING_ZOMBIE,
    FINDING_RECLAIMED,
    FINDING_LATE,
    FINDINGS, // their number; of a site: nothing is wrong
};

struct finding_words {
    const char *name;  // letters and "-"; stays the same for ever: others keep it
    const char *title; // a few words, to follow a number of sessions
    const char *help;  // what it means and what to do, sentences
    bool severe;       // the session stays open for good
};

extern const struct finding_words finding_words[FINDINGS];

// The number of sessions of which this is true.
uint64_t finding_count(const struct profile_tally *tally, enum finding finding);

// What is true of most sessions of the tally that were never closed; if there are none,
// FINDING_LATE or FINDINGS.
enum finding finding_of(const struct profile_tally *tally);

#endif
