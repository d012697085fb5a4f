// What one or more traces say, merged: processes, totals, sites, pools, misuse, exhausted pools.
//
// This is what every renderer prints and nothing else: renderers know this file and no traces.
// Everything in it lives until profile_free. Times are nanoseconds unless a name says otherwise;
// moments called *_ns count from the start of the process they belong to.
// Not thread-safe.
#ifndef UNCLOSED_REPORT_PROFILE_PROFILE_H
#define UNCLOSED_REPORT_PROFILE_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "report/code/code_text.h"
#include "report/code/frames.h"
#include "report/code/memory.h"
#include "report/profile/cache.h"
#include "trace/trace_reader.h"

struct profile_process {
    const struct trace_header *header;
    const char *trace; // path of the trace file
    enum reader_state state;
    uint64_t seconds_ns; // how long it was traced
    bool end_known;      // false: at least so long, and so were sessions held that it left open
    uint64_t lost;       // records lost, all reasons
    uint64_t opened, never_closed;
    unsigned index; // in profile.processes
    bool has_tests; // sessions never closed were opened by tests that are known by name
};

// Numbers of sessions. opened = released + discarded + unseen + never_closed + suppressed + pooled
// + below + releasing + under_way + closer_unknown.
struct profile_tally {
    uint64_t opened;
    uint64_t released;     // by the code
    uint64_t scope_end;    // of the released ones, those that the end of a scope closed
    uint64_t at_exit;      // of the released ones, those that code which runs at exit closed
    uint64_t discarded;    // taken out of their pool for good by the code
    uint64_t unseen;       // released in a way the recorder did not see (a guess)
    uint64_t never_closed; // live + reclaimed + refused + zombie
    uint64_t live;
    uint64_t held;         // of the live ones, those in processes that still run
    uint64_t thread_ended; // of the live ones, those whose thread has ended
    uint64_t lost;         // of the live ones, those that were dropped: their pool has a place less
    uint64_t reclaimed;    // closed by the garbage collector, a finalizer, interpreter shutdown
    uint64_t shutdown;     // of the reclaimed ones, those closed by interpreter shutdown
    uint64_t collected;    // of the reclaimed ones, those certainly closed in a garbage collection
    uint64_t request;      // of the reclaimed ones, those closed by the end of a request
    uint64_t closer_unknown; // closed by a runtime; whether the code asked is not known
    uint64_t refused;        // still open because a release was refused
    uint64_t zombie;         // still open because children keep it alive
    uint64_t pooled;         // handles that a pool keeps, or kept until the runtime ended
    uint64_t pool_ended;     // the latter
    uint64_t below;          // still out, but not for as long as the threshold asks
    uint64_t releasing;      // in the program's release call, which had not come back
    uint64_t under_way;      // still out, but not for as long as sessions of the site usually are
    uint64_t inherited;      // open before fork or attach; not in `opened`
    uint64_t suppressed;     // would be never closed, but a suppression fits: in no other number
    uint64_t late;           // released, but held longer than the threshold (at least so many)
    uint64_t overdue;        // of the never closed: still out, and for longer than the threshold
    uint64_t failed;         // acquires that failed; not in `opened`
};

// How often a name (thread, test, database ...) occurs.
struct profile_name {
    const char *name;
    uint64_t count;
};
typedef LIST(struct profile_name) profile_names;

// Where the thread that acquired a session is now.
struct profile_now {
    const char *problem;        // why its stack is not known, to follow its name; or NULL
    bool closed;                // the session was closed meanwhile: nothing is said about it
    const struct frames *stack; // NULL: a problem, or closed
    enum now_place place;       // of the function that acquired
    size_t at;                  // see now_compare
    bool again;                 // NOW_INSIDE, but more likely a later call
    bool suspended;             // NOW_UNKNOWN: a coroutine or generator, so that it may go on
    uint64_t paused_ns;         // how long the thread was paused for this, at most
};

// Those of which it can be said whether the code closes them.
static inline uint64_t profile_judged(const struct profile_tally *tally)
{
    return tally->opened - tally->pooled - tally->below - tally->releasing - tally->under_way;
}

// A session that was out when its trace was read, or when its process ended.
struct profile_session {
    const struct profile_process *process;
    struct profile_site *site; // NULL: not known where it was acquired (`unseen`)
    struct profile_pool *pool; // that it was taken from or belongs to, or NULL
    enum trace_kind kind;
    uint32_t flags; // enum trace_session_flags
    uint32_t tid;
    uint64_t handle;
    uint64_t age_ns;
    uint64_t acquired_ns;
    bool releasing; // in the program's release call
    bool overdue;   // out for longer than the threshold; see profile_tally
    uint32_t slot;  // in the trace of `process`
    const char *thread, *database, *detail, *test, *task; // "" if not known
    bool unseen;                                          // acquired before the attach
    bool age_least;                    // `age_ns` is the least: acquired before the attach, or its
                                       // process ended at an unknown time
    bool never_closed;                 // counted so in its site
    uint64_t age_most_ns;              // ... and this the most; 0: not known
    const char *holder;                // what was found to hold it at the attach, "" nothing
    const struct frames *holder_stack; // ... and where that was; NULL: not known
    const struct frames *named;        // the stack with the frame that names its site, or NULL
    size_t named_index;                // ... and that frame
    const struct profile_now *now;     // if that was asked for; or NULL
};

// For how long something went on: from its first to its last moment in each process, summed up.
struct profile_activity {
    uint64_t active_ns;
    const struct profile_process *process; // of the last span
    uint64_t first_ns, last_ns;            // the last span
};

// How many sessions of a site were out over time: least_out[i] is the smallest number out at once
// in [origin_ns + i*width_ns, ... + (i+1)*width_ns), but the last number is what is out now, or was
// at the end or when interpreter shutdown began. Sessions end with their process, unless the others
// end at about the same time. Of several stacks or processes the smallest numbers are added up: at
// least so many were out.
struct profile_growth {
    const struct profile_process *process; // that origin_ns counts from
    int64_t origin_ns;                     // the first acquire
    uint64_t width_ns;                     // 0: there is no timeline
    unsigned count;
    uint64_t least_out[TRACE_GROWTH_BUCKETS];
    uint64_t end_ns; // while building: from origin_ns on
};

// The never-closed sessions of a site that one test opened.
struct profile_test {
    const char *name;
    uint64_t never_closed, longest_ns;
};

// The same of a process, where no test is known.
struct profile_untested {
    const struct profile_process *process;
    uint64_t never_closed, longest_ns;
};

// What a process is called if it is itself the test: its program with its arguments.
const char *profile_process_as_test(struct arena *arena, const struct profile_process *process);

// What became of a site since a baseline or another run. The order is the one to tell of them.
enum profile_change {
    PROFILE_UNCOMPARED = 0,
    PROFILE_NEW,   // it leaks, and did not, or cannot be told from one that did not
    PROFILE_WORSE, // a larger share is never closed, or in a way it was not before
    PROFILE_BETTER,
    PROFILE_KNOWN, // it leaks as it did
    PROFILE_GONE,  // it leaked
    PROFILE_CHANGES,
};

// A site as a trace has it.
struct profile_site_ref {
    const struct profile_process *process;
    uint32_t ref; // in its trace
};

// A line of the user's from which the function was called that names a site.
struct profile_caller {
    const struct frame *frame;
    uint64_t
        opened; // judged: without what a pool keeps and what is out for less than the threshold
    uint64_t never_closed;
};

struct profile_site {
    char id[12]; // hexadecimal; the same for the same place in another trace
    enum trace_kind kind;
    const struct profile_process *process; // one that has this site: its directory and trace
    const struct frame *name;              // the frame that names it; NULL: nothing is known
    const struct frame *via;      // the user's own function between it and the acquire, or NULL
    const struct frames *stack;   // of an acquire
    const struct frames *created; // where the object was created, if elsewhere; or NULL
    const char *function;         // traced function: "sqlite3_open_v2", or ""
    const char *pool_kind;        // what the function belongs to: "sqlite3", or ""
    struct profile_pool *pool;    // the first one seen, or NULL
    struct profile_tally tally;
    uint64_t refusals, zombies; // whatever came after
    uint64_t exceptions;        // never closed after an exception passed by
    uint64_t in_transaction;    // of those still out
    uint64_t longest_ns;        // hold, ended or not
    bool longest_least;         // ... at least: see profile_session.age_least
    uint64_t longest_live_ns;
    uint64_t hold_ns, holds;           // sum and number of the ended holds
    uint64_t held[TRACE_HOLD_BUCKETS]; // the ended holds by length; see trace_site.hold
    uint64_t first_ns, last_ns;        // acquires
    struct profile_activity activity;
    struct profile_growth growth;
    struct profile_tally shown;        // of the stack that is shown
    LIST(struct profile_test) by_test; // each test once, all of them; `tests` is the most frequent
    LIST(struct profile_untested) untested;
    uint64_t first_of_tests; // of those opened: one for each test and stack
    profile_names threads, tests, tasks, databases, details;
    LIST(struct profile_caller) callers; // the most never closed first
    LIST(struct profile_site_ref) refs;  // what was merged into it
    enum profile_change change;          // since the baseline, if there is one
};

struct profile_holder {
    struct profile_site *site;
    uint64_t count;
    uint64_t longest_ns;
};
typedef LIST(struct profile_holder) profile_holders;

// What a pool needed, of the instance with the high-water mark.
struct profile_sizing {
    uint64_t acquires, active_ns; // active: while the process was traced
    double arrival_per_second;    // 0: not known
    double mean_hold_ns;          // of the sessions that were closed; 0: not known
    bool hold_exact;              // else estimated from histograms
    uint64_t leaked;              // at the high-water mark, out and never closed: at most so many
    uint64_t leaked_least;        // ... and at least so many; equal if known exactly
    uint64_t needed;              // at the high-water mark without `leaked`
    uint64_t never_closed;        // at any time
    // While building:
    uint64_t closed;
    double closed_hold_ns;
};

// Sessions that were open before the fork or attach, and what became of them.
struct profile_inherited {
    uint64_t out;
    uint64_t pooled;    // handles that a pool keeps
    uint64_t released;  // since
    uint64_t reclaimed; // since
    uint64_t otherwise; // discarded, or their release was not seen
    uint64_t forked;    // of out and pooled: open before a fork, the others before an attach
};

// What goes with a bucket of a pool's timeline.
struct profile_moment {
    profile_holders holders; // when most were out; at most TRACE_MOMENT_HOLDERS, and fewer sessions
                             // than were out, where more sites held some
    uint64_t waiting;        // acquires that waited during it; if it was merged, at least so many
    uint64_t timeouts;
};

struct profile_pool {
    const struct profile_process *process; // of the high-water mark
    const char *kind, *name, *detail;      // "" if not known
    uint64_t address;
    uint32_t size, overflow; // TRACE_UNKNOWN
    uint32_t timeout_ms;     // TRACE_UNKNOWN
    uint64_t instances;      // pools merged into this line
    uint64_t running;        // of these, in processes that still run
    uint64_t out;
    uint64_t high_water, high_water_ns;
    profile_holders holders; // at the high-water mark
    uint64_t acquires, failed, timeouts;
    uint64_t waits, longest_wait_ns, total_wait_ns, wait_threshold_ns;
    uint64_t openings, longest_opening_ns; // acquires as slow, which waited for nobody
    uint64_t waiting;                      // right now, of the processes that still run
    bool waiting_known;                    // by all of those
    uint64_t idle;                         // handles that the pool kept open
    struct profile_inherited inherited;    // checkouts out before fork or attach
    struct profile_tally tally;            // of the sites that took from it
    const struct trace_timeline *timeline; // of the instance with the high-water mark
    struct profile_moment *moments;        // TRACE_TIMELINE_BUCKETS of them; NULL: not known
    uint32_t bucket;                       // the last one of the timeline that was written
    uint64_t got[TRACE_TOOK_BUCKETS];      // acquires that succeeded, by how long they took
    uint64_t created[TRACE_TOOK_BUCKETS];  // connections, by how long making them took
    struct profile_sizing sizing;
    uint32_t peak_ref; // while building: that instance, in the trace of `process`
};

// A session that was out when a pool was exhausted.
struct profile_held {
    struct profile_site *site; // NULL: not known
    const char *thread;        // "" if not known
    uint64_t acquired_ns;
};

struct profile_exhaustion {
    const struct profile_process *process;
    uint64_t at_ns, waited_ns;
    struct profile_pool *pool;  // or NULL
    const struct frames *stack; // of the one who waited
    const struct frame *name;   // its first user frame, or NULL
    const char *thread;
    bool failed;
    uint32_t waiting;
    uint64_t held; // sessions out at that moment
    profile_holders holders;
    struct profile_held *sessions; // those that are known, `held` of them, oldest first
};

struct profile_misuse {
    enum trace_misuse_kind kind;
    const struct profile_process *process;
    const char *function;     // traced function that was called
    const struct frame *name; // or NULL
    const struct frames *stack;
    struct profile_site *site; // where the session meant was acquired, or NULL
    uint64_t count, first_ns, last_ns, handle;
    const char *database, *thread;
};

struct profile_inside {
    const char *function;
    const char *reason; // see trace_words_patch
};

// What could have had sessions and was not hooked.
struct profile_blind {
    const char *program; // path of the executable; "": it is about none in particular
    const char *reason;  // what was not seen, and why
    const char *remedy;
};

// What is beyond a limit that was set, see report/compare/limit.h.
struct profile_excess {
    const char *of;   // "pool", "test" or ""
    const char *name; // of that
    bool held;        // times in ns, else numbers of sessions never closed
    uint64_t value, most;
};

struct comparison;   // see report/compare/compare.h
struct suppressions; // see suppressions.h

struct profile {
    struct arena *arena;
    struct profile_cache *own_cache; // if it was given none
    struct code_text *code;
    uint64_t threshold_ns;
    LIST(struct profile_process *) processes;
    LIST(struct profile_site *) sites; // worst first, all of them
    LIST(struct profile_pool *) pools;
    LIST(struct profile_session *) sessions;       // oldest first
    LIST(struct profile_exhaustion *) exhaustions; // in the order of time
    LIST(struct profile_misuse *) misuses;         // most frequent first
    LIST(const char *) unseen;                     // functions asked for and never called
    LIST(struct profile_inside *) inside;          // functions inside a program: not all calls seen
    LIST(struct profile_blind *) blind;            // what sessions may have gone unseen by
    size_t blind_given;                            // the first ones: those of profile_add_blind
    LIST(const char *) problems;                   // what is missing from all this, and why
    struct profile_tally totals[TRACE_KINDS];      // by kind
    struct profile_inherited inherited[TRACE_KINDS];
    struct profile_tally total;              // of all kinds but statements
    uint64_t running;                        // processes that still run
    const struct suppressions *suppressions; // with how often each was used; NULL: none
    LIST(struct profile_excess) excesses;
    const struct comparison *comparison; // with the baseline; NULL: there is none
};

struct profile_builder; // opaque

// cache: outlives the profile; NULL: there will be no second reading of these traces.
struct profile_builder *profile_begin(uint64_t threshold_ns, struct profile_cache *cache);
// Takes over the reader. Traces may come in any order.
void profile_add(struct profile_builder *builder, struct trace_reader *trace);
void profile_add_problem(struct profile_builder *builder, const char *message);
// What somebody else found out was not seen. The texts are copied.
void profile_add_blind(struct profile_builder *builder, const struct profile_blind *blind);
// Asks for the current stacks of the threads that hold sessions now. What cannot be found out is
// reported to `complain`, one message each.
struct profile_asking {
    now_look *look;
    void (*complain)(void *data, const char *message);
    void *data;
};
void profile_ask(struct profile_builder *builder, const struct profile_asking *asking);
// Leaves out of the numbers what these fit, which outlive the profile, and counts it with them.
void profile_suppress(struct profile_builder *builder, struct suppressions *suppressions);
// Names and merges the sites. The builder is gone afterwards.
struct profile *profile_finish(struct profile_builder *builder);
void profile_free(struct profile *profile);

// The words for numbers of the trace: "handle", "checkout" ...; "double release" ...; "disk
// full"...
const char *profile_kind_name(enum trace_kind kind);
const char *profile_misuse_name(enum trace_misuse_kind kind);
// Class or kind, and name or address: "QueuePool app.db", as the trace has them.
const char *profile_pool_name(struct arena *arena, const struct profile_pool *pool);
// What is not seen of the Python interpreter of a process, and why: a sentence; NULL: nothing to
// say. besides: of the interpreters besides the main one.
const char *profile_python_note(struct arena *arena, const struct profile_process *process);
const char *profile_python_besides(const struct profile_process *process);

// The same of another language's runtime: the entry `index` of trace_header.runtimes.
const char *profile_runtime_note(struct arena *arena, const struct profile_process *process,
                                 size_t index);

// "exit 0", "signal 9", "running", "exec", "detached", "unknown". Lives as long as the profile.
const char *profile_ended(const struct profile *profile, const struct profile_process *process);

// Whether a list of who holds what names a session: not handles that a pool keeps open.
bool profile_session_is_listed(const struct profile *profile,
                               const struct profile_session *session);
// What is special about a session that is out: "zombie", "close refused", "inherited" ...; or "".
const char *profile_session_condition(const struct profile_session *session);

// Files (with sites that have never-closed sessions), for the summary.
size_t profile_file_count(const struct profile *profile);
// Sites that have something to tell: never closed or late (overdue ones are never closed so far).
size_t profile_leaking_count(const struct profile *profile);
bool profile_site_leaks(const struct profile_site *site);

// The kind of bug that the numbers of a site speak of: "no path closes it", "some path skips
// close()", "close() came too early"; "" if they do not tell (one session, or some may still come
// back).
const char *profile_pattern(const struct profile_site *site);

// Whether the numbers of a timeline, of at least half a second, rise by three or more, in its first
// half and in its second one, and hardly ever fall.
bool profile_grows(const struct profile_growth *growth);

// A site that opens sessions in a tight loop, a moment each, where one could be kept.
struct profile_churn {
    double rate;        // per second, on average from the first to the last acquire
    uint64_t median_ns; // hold; interpolated in the histogram, so about
};
// Whether `site` is one: at least 50 handles or checkouts, at least 20 per second, and at least
// half of them came back in less than 100 ms. churn: filled in if so.
bool profile_site_churns(const struct profile_site *site, struct profile_churn *churn);

// The hold time that `rank` of the ended sessions of a histogram do not exceed, interpolated;
// 0 for rank 0, UINT64_MAX if there are fewer. held: TRACE_HOLD_BUCKETS numbers.
uint64_t profile_hold_at(const uint64_t *held, uint64_t rank);

uint64_t profile_inherited_count(const struct profile_inherited *counts);

// Size and overflow together; 0: not known.
uint64_t profile_pool_capacity(const struct profile_pool *pool);
// Little's law: sessions out on average, if all were held as long as those that were closed. 0: not
// known, as there were few or they were held for most of the time that was looked at.
double profile_mean_out(const struct profile_sizing *sizing);
// The most acquires known to have waited at once while the pool was full: when it was exhausted,
// and now.
uint64_t profile_most_waiting(const struct profile *profile, const struct profile_pool *pool);

// Whether `site` never closes handles of Python's sqlite3 that are, as its code says, used in a
// `with` statement: one that ends a transaction, and not the handle.
bool profile_with_is_no_close(const struct profile *profile, const struct profile_site *site);

// The line of source code of a frame without its indentation; "" if it cannot be read.
const char *profile_code(const struct profile *profile, const struct frame *frame,
                         const char *directory);

// Lists of names and holders: counting more of one, most frequent first.
void profile_count_name(struct arena *arena, profile_names *names, const char *name,
                        uint64_t count); // "" is not counted
void profile_add_holder(struct arena *arena, profile_holders *holders, struct profile_site *site,
                        uint64_t count, uint64_t longest_ns);
void profile_sort_holders(profile_holders *holders);

#endif
