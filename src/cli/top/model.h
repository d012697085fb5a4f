// What `unclosed top` shows: the sites and pools of one reading of the traces, with what changed
// since earlier readings, sorted and filtered.
//
// Pure: made from profiles and moments that it is given. Knows nothing of terminals, and nothing of
// where profiles come from. Not thread-safe.
#ifndef UNCLOSED_CLI_TOP_MODEL_H
#define UNCLOSED_CLI_TOP_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "report/profile/profile.h"

#define TOP_SECOND UINT64_C(1000000000)
#define TOP_GROWTH_NS (60 * TOP_SECOND) // growth is over this time
#define TOP_RATE_NS (5 * TOP_SECOND)    // rates are over this time

enum top_key { // what sites are sorted by; the largest first, names in the order of the alphabet
    TOP_HELD = 0,
    TOP_GROWTH,
    TOP_OLDEST,
    TOP_KIND,
    TOP_OPENED,
    TOP_RATE,
    TOP_RECLAIMED,
    TOP_NAME,
    TOP_KEYS
};

struct top_row {
    const struct profile_site *site; // NULL: sessions that were acquired before the trace
    const char *id;                  // the same for the same site in each snapshot
    const char *name;                // by top_row_name; NULL: not asked for yet
    enum trace_kind kind;
    uint64_t held;      // sessions out now, or when the process or its interpreter ended
    uint64_t oldest_ns; // how long the oldest of these has been out
    uint64_t opened;
    uint64_t reclaimed; // by the garbage collector, not by interpreter shutdown
    int64_t growth;     // of `held`, since top_snapshot.growth_ns ago
    double rate;        // acquires a second, see top_snapshot.rate_ns
};

struct top_pool {
    const struct profile_pool *pool;
    double rate; // acquires a second
};

struct top_snapshot {
    const struct profile *profile;
    uint64_t number;             // of the reading, from 1
    uint64_t growth_ns;          // 0: there is nothing yet to compare with
    uint64_t rate_ns;            // 0: rates are averages since the process is traced
    uint64_t held[TRACE_KINDS];  // by kind
    uint64_t inherited_held;     // of these, open before a fork
    uint64_t pre_existing_held;  // ... and before an attach
    uint64_t in_transaction;     // of the sites' sessions held, as far as is known
    uint64_t lost;               // records
    bool ended;                  // no process runs any more
    struct top_row *rows;        // sorted, those that the filter lets through
    size_t row_count, all_count; // all_count: without the filter
    struct top_pool *pools;      // those with waiting acquires first, then the fullest
    size_t pool_count;
};

struct top_model; // opaque

struct top_model *top_model_new(void);
void top_model_free(struct top_model *model); // NULL is fine

// A new reading of the traces. profile: taken over, lives until the next one. now_ns: when it was
// read, on a clock that never goes back.
void top_model_take(struct top_model *model, struct profile *profile, uint64_t now_ns);

// The snapshot: valid until the next call of a function of the model that is given a non-const one.
// Before the first reading it is empty and its profile NULL.
const struct top_snapshot *top_model_snapshot(const struct top_model *model);

// The first order is by TOP_HELD.
void top_model_sort(struct top_model *model, enum top_key key, bool reversed);
// Only sites whose name holds `text`, large and small letters being the same. "": all.
void top_model_filter(struct top_model *model, const char *text);

// The name of the site as in reports: "ui/app.py:88 App.refresh". Lives as long as the profile.
const char *top_row_name(const struct top_snapshot *snapshot, struct top_row *row);

// The row of that id, or row_count.
size_t top_row_find(const struct top_snapshot *snapshot, const char *id);

#endif
