// What is compared of one run with another: its sites by their keys, and what became of sessions.
//
// Entries come from a profile, from a JSON report, or from a baseline, which has only the sites
// that leak. Whether a site leaks more is judged by shares, for runs differ in volume. Knows
// profiles and JSON; neither traces nor what is printed. Not thread-safe.
#ifndef UNCLOSED_REPORT_COMPARE_ENTRY_H
#define UNCLOSED_REPORT_COMPARE_ENTRY_H

#include "report/profile/site_key.h"

// How sessions of a site were left, as bits. Whether a collector comes before the end differs from
// run to run, so live and reclaimed sessions are one.
enum entry_outcome {
    ENTRY_LEFT = 1,    // live or reclaimed: the code never released it
    ENTRY_REFUSED = 2, // its close was refused
    ENTRY_ZOMBIE = 4,
    ENTRY_OUTCOMES = 3, // how many there are
};

struct entry {
    // The key, see struct site_key.
    const char *hash;
    unsigned ordinal, equals;
    const char *file;
    // To show.
    const char *kind, *name, *code; // code: without what is between quotes; "" if not known
    unsigned line;                  // 0: not known
    // What became of its sessions.
    uint64_t judged, never_closed; // 0, 0: not known, a baseline has only the share
    unsigned share;                // never closed, in percent rounded up; 0: it does not leak
    unsigned outcomes;             // of those never closed
    struct profile_site *site;     // if it comes from a profile
};

struct entries {
    const char *source; // where they come from, for people
    LIST(struct entry) list;
    uint64_t blind; // what sessions may have gone unseen by
};

// The sites of a profile, but those of statements: these are no sessions of their own.
struct entries entries_of_profile(const struct profile *profile, const char *root);

// The sites of a JSON report or a baseline; at most 64 MiB and 1,000,000 sites are read. The file
// is not trusted. arena: whatever is in the result lives as long. fault: NULL, or set to one
// sentence without the name of the file, that says where it is wrong.
struct entries entries_of_json(struct arena *arena, const char *path, const char **fault);

// "left open", "close refused", "zombie"; bit: one of enum entry_outcome.
const char *entry_outcome_name(unsigned bit);

#endif
