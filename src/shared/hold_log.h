// Lines about sessions that are held too long: how they read, and how many are written.
//
// Shared by the recorder and the command line, so that both write the same lines. Knows
// neither traces nor where lines go. Async-signal-safe: no malloc, no stdio, no locale. A log is
// used by one thread at a time.
#ifndef UNCLOSED_SHARED_HOLD_LOG_H
#define UNCLOSED_SHARED_HOLD_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum hold_what {
    HOLD_OVERDUE = 0, // still out
    HOLD_BACK,        // the code gave it back, late
    HOLD_RECLAIMED,   // a collector ended it, late
    HOLD_WHATS
};

struct hold_event {
    enum hold_what what;
    uint64_t realtime_ns; // when
    uint64_t held_ns;     // for how long
    bool held_at_least;   // it was held for longer than that, not known how much
    uint64_t site;        // a number of its own for each site; not 0
    const char *program;  // of what process
    uint32_t pid;
    const char *kind;              // "checkout"
    const char *place;             // where it was acquired
    const char *thread, *database; // "": not known
};

enum {
    HOLD_LINES_OF_SITE = 10, // after these, only their number is reported, now and then
    HOLD_LINES_A_MINUTE = 60,
    HOLD_SITES = 128, // that are distinguished
    HOLD_PLACE_BYTES = 160,
    HOLD_LINE_BYTES = 768,
};

struct hold_log {
    // Writes one line with its newline. false: it cannot be written just now.
    bool (*write)(void *data, const char *line, size_t bytes);
    void *data; // for `write`
    uint64_t threshold_ns;
    // Private; zero at first.
    uint64_t minute_ns;  // when the minute began that `lines` counts
    uint32_t lines;      // written in this minute
    uint64_t pending_ns; // since when something has been kept back; 0: nothing
    uint32_t site_count;
    struct hold_site {
        uint64_t site;
        uint32_t lines;
        uint32_t more[HOLD_WHATS]; // not written
        char place[HOLD_PLACE_BYTES];
    } sites[HOLD_SITES + 1]; // the last one is all the others together
};

// Writes the line of an event, or counts it if there have been enough. now_ns: CLOCK_MONOTONIC.
void hold_log_event(struct hold_log *log, const struct hold_event *event, uint64_t now_ns);

// Tells the numbers of the lines not written, if some have waited for a minute, or if `all`.
// realtime_ns: the same moment as now_ns, CLOCK_REALTIME.
void hold_log_more(struct hold_log *log, bool all, uint64_t now_ns, uint64_t realtime_ns);

#endif
