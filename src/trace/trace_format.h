// The layout of a trace file: what the recorder writes and every reader may rely on.
//
// Knows neither hooks nor reports. A trace is one header page followed by chunks. All integers are
// in the byte order of the machine that wrote them (`byte_order` tells), all times are nanoseconds.
// Times called *_ns are CLOCK_MONOTONIC; the header holds both clocks at the start, so that any of
// them can be turned into wall-clock time.
//
// The file is mapped MAP_SHARED by the traced process and may be read at any moment, also while it
// is being written and after the process was killed between two stores. Hence:
//   - a chunk's `count` is advanced (release) only after the records below it are complete;
//   - records are never moved or removed; only session slots are reused, guarded by `state`;
//   - what can be derived is not stored: a site's "opened" is the sum of its ended counters plus
//     its session slots in use, so that opened - ended = live holds at whatever instant
//     the process died.
// A reader trusts nothing: each offset, count and reference has to be checked before use.
#ifndef UNCLOSED_TRACE_TRACE_FORMAT_H
#define UNCLOSED_TRACE_TRACE_FORMAT_H

#include <stdint.h>

#define TRACE_MAGIC "UNCLOSED"
#define TRACE_VERSION 5 // a reader refuses another version
#define TRACE_BYTE_ORDER 0x01020304u
#define TRACE_HEADER_BYTES 4096u      // also the offset of the first chunk
#define TRACE_CHUNK_ALIGN 4096u       // chunks start and end on multiples of this
#define TRACE_CHUNK_MAGIC 0x4b4e4843u // "CHNK"
#define TRACE_NONE 0u                 // "no record", "no string", "no stack": references start at 1
#define TRACE_UNKNOWN UINT32_MAX      // a number that is not known (pool size, overflow)

enum trace_chunk_type {
    TRACE_STRINGS = 1, // a space of bytes, see struct trace_string
    TRACE_STACKS,      // a space of 64-bit words, see struct trace_stack
    TRACE_MODULES,     // struct trace_module
    TRACE_LOCATIONS,   // struct trace_location
    TRACE_FUNCTIONS,   // struct trace_function
    TRACE_POOLS,       // struct trace_pool
    TRACE_SITES,       // struct trace_site
    TRACE_SESSIONS,    // struct trace_session
    TRACE_MISUSES,     // struct trace_misuse
    TRACE_EXHAUSTIONS, // a space of 64-bit words, see struct trace_exhaustion
    TRACE_HISTORIES,   // struct trace_history
    TRACE_CHUNK_TYPES  // one past the last; readers skip types they do not know
};

// What a session is (design guide, "Words").
enum trace_kind {
    TRACE_HANDLE = 1, // an open database, e.g. a sqlite3*
    TRACE_CHECKOUT,   // a connection taken out of a pool
    TRACE_SESSION,    // an ORM session
    TRACE_STATEMENT,  // a child that keeps its handle alive: statement, blob, backup
    TRACE_KINDS
};

// How a session ended; the index into trace_site.ended.
enum trace_end {
    TRACE_RELEASED = 0,   // the code released it
    TRACE_RECLAIMED,      // a collector or a last reference released it, the code never did
    TRACE_SHUTDOWN,       // interpreter shutdown released it, the code never did
    TRACE_DISCARDED,      // taken out of its pool for good by the code: invalidate, detach, dismiss
    TRACE_LOST_RELEASE,   // a guess: the same handle was acquired again, so a release went unseen;
                          // or it is not known whether it is one
    TRACE_RELEASED_SCOPE, // the code released it by leaving a scope, in a language that promises it
    TRACE_RELEASED_EXIT,  // code that runs at exit released it
    TRACE_COLLECTED,      // a garbage collector released it, the code never did
    TRACE_REQUEST,        // the end of the request released it, the code never did
    TRACE_CLOSER_UNKNOWN, // a runtime released it; whether the code asked is not known
    TRACE_KEPT_BY_POOL,   // its pool kept it, idle, until the runtime ended
    TRACE_ENDS = 16
};

// Why something was not recorded; the index into trace_header.lost.
enum trace_lost {
    TRACE_LOST_SPACE = 0, // disk full, file size limit, or the folder could not be written any more
    TRACE_LOST_MEMORY,    // address space or memory limit
    TRACE_LOST_REENTRY,   // called from a signal handler that interrupted the recorder itself
    TRACE_LOST_STUBS,     // more traced functions and copies of them than there are stubs
    TRACE_LOST_NAMES,     // names not kept, because their number is bounded
    TRACE_LOST_SITES,     // sites not kept apart, because their number is bounded
    TRACE_LOST_FILE,      // recorded in a file that somebody damaged or removed meanwhile
    TRACE_LOST_FILTER,    // what was reserved before the program added a seccomp filter is used up
    TRACE_LOST_REASONS = 16
};

enum trace_ended {           // how the process ended, in trace_header.ended
    TRACE_ENDED_UNKNOWN = 0, // still running, killed, or gone in a way the recorder could not see
    TRACE_ENDED_EXIT,        // end_status is the exit status
    TRACE_ENDED_SIGNAL,      // end_status is the signal; written by the parent, if it is ours
};

enum trace_header_flags {
    TRACE_FLAG_ATTACHED = 1 << 0, // the recorder came into a running process
    TRACE_FLAG_DETACHED = 1 << 1, // ... and left it again, at end_ns
    TRACE_FLAG_PYTHON = 1 << 2,   // there is a CPython interpreter
    TRACE_FLAG_FORKED = 1 << 3,   // began as a fork of `parent_pid`
    // Databases were opened by Python code in an interpreter that is not the main one.
    TRACE_FLAG_PYTHON_BESIDES = 1 << 4,
    TRACE_FLAG_RENEWED =
        1 << 5, // an earlier trace of this process was damaged: see TRACE_LOST_FILE
    // With a CPython interpreter: enum trace_python, and its version.
    TRACE_FLAG_PYTHON_SHIFT = 8,
    TRACE_FLAG_PYTHON_MINOR_SHIFT = 16,
    TRACE_FLAG_PYTHON_MAJOR_SHIFT = 24,
};

enum trace_python { // why not all is seen of an interpreter
    TRACE_PYTHON_SEEN = 0,
    TRACE_PYTHON_OLD,           // older than 3.8
    TRACE_PYTHON_FREE_THREADED, // built without a GIL
    TRACE_PYTHON_TRACES_REFS,   // a debug build with Py_TRACE_REFS
    TRACE_PYTHON_INCOMPLETE,    // does not export all functions that are needed
    TRACE_PYTHON_NEW,           // layout of its objects not known: pools are seen, but no frames
                                // where the GIL is not held
    TRACE_PYTHON_UNLIKE,        // the same: its objects are not laid out as in its version
};

// A language runtime in the process, other than CPython, and what is not seen of it.
enum trace_runtime_state {
    TRACE_RUNTIME_NONE = 0, // no entry
    TRACE_RUNTIME_SEEN,
    TRACE_RUNTIME_VERSION,  // of a version that is not known
    TRACE_RUNTIME_THREADED, // built for threads
    TRACE_RUNTIME_UNLIKE,   // not laid out as its version says
    TRACE_RUNTIME_LINES,    // only the lines of its code are not seen
    TRACE_RUNTIME_CLOSERS,  // its lines are seen, but not who closes
};
enum { TRACE_RUNTIMES = 8 };
struct trace_runtime {
    uint16_t language; // enum trace_language
    uint16_t state;    // enum trace_runtime_state
    uint16_t major, minor;
};

struct trace_header { // exactly TRACE_HEADER_BYTES
    char magic[8];
    uint32_t version;
    uint32_t byte_order;
    uint32_t header_bytes;
    uint32_t machine;    // ELF e_machine
    uint64_t file_bytes; // end of the last complete chunk; advanced with release
    uint32_t pid;
    uint32_t parent_pid;
    uint32_t uid;
    uint32_t flags;               // enum trace_header_flags
    uint64_t run_id;              // the same for all processes of one `unclosed run`; 0 without
    uint64_t start_ns;            // when the recorder began, CLOCK_MONOTONIC
    uint64_t start_realtime;      // the same moment, CLOCK_REALTIME
    uint64_t process_start_ticks; // field 22 of /proc/PID/stat: tells a reused pid apart
    uint64_t last_ns;             // about the last moment at which anything was recorded
    uint64_t end_ns;              // when it ended; 0 while unknown
    uint32_t ended;               // enum trace_ended
    int32_t end_status;
    uint64_t threshold_ns; // sessions released after more than this count as late; 0: off
    uint64_t lost[TRACE_LOST_REASONS];
    uint64_t shutdown_ns; // when interpreter shutdown began; 0: not seen
    char exe[512];        // path of the executable, NUL-terminated, cut if longer
    char command[1024];   // command line, arguments joined by spaces, NUL-terminated, cut
    char directory[512];  // working directory at the start
    uint64_t watched_ns;  // when a tool outside last looked for sessions held too long; 0: never
    struct trace_runtime runtimes[TRACE_RUNTIMES];
    uint8_t reserved[TRACE_HEADER_BYTES - 2304 - 64];
};

struct trace_chunk { // 64 bytes, then the records
    uint32_t magic;
    uint16_t type;         // enum trace_chunk_type
    uint16_t record_bytes; // size of a record, or of a unit of a space (1 or 8)
    uint64_t bytes;        // whole chunk with this header; multiple of TRACE_CHUNK_ALIGN
    uint32_t first;        // reference of the first record (or unit) in this chunk
    uint32_t capacity;     // records (or units) that fit
    uint32_t count;        // records (or units) in use; advanced with release
    uint8_t reserved[36];
};

// A string: its reference is `first` + the offset of this header in the chunk's payload. Headers
// are 4-byte aligned; a string never crosses a chunk. Strings are UTF-8 where the program's were.
struct trace_string {
    uint32_t bytes; // without the NUL that follows the text
    char text[];
};

// A stack: its reference is `first` + the index of its first word in the chunk's payload.
// frames[0] is the innermost. A frame is a return address, or a language-runtime location if
// TRACE_FRAME_LOCATION is set (the low 32 bits are then a reference into TRACE_LOCATIONS). A return
// address points behind its call: subtract 1 before looking up a line.
#define TRACE_FRAME_LOCATION (UINT64_C(1) << 63)
struct trace_stack {
    uint64_t seen_ns; // when first seen: which of two modules at one address is meant
    uint32_t frame_count;
    uint32_t flags; // enum trace_stack_flags
    uint64_t frames[];
};
enum trace_stack_flags {
    TRACE_STACK_CUT = 1 << 0, // deeper than the recorder keeps
};

enum { TRACE_BUILD_ID_BYTES = 32 };
struct trace_module {
    uint64_t start, end;     // the addresses it is mapped at
    uint64_t bias;           // address = ELF virtual address + bias
    uint64_t mapped_ns;      // when first seen
    uint64_t unmapped_ns;    // when found unmapped; 0: still mapped
    uint32_t path;           // string
    uint32_t build_id_bytes; // 0: none
    uint8_t build_id[TRACE_BUILD_ID_BYTES];
};

enum trace_language {
    TRACE_PYTHON = 1,
    TRACE_PHP,
    TRACE_PERL,
    TRACE_RUBY,
    TRACE_LUA,
    TRACE_LANGUAGES
};
struct trace_location { // a line of code in a language runtime
    uint32_t file;      // string, as the runtime names it
    uint32_t function;  // string, qualified name
    uint32_t line;      // from 1; 0 unknown
    uint16_t language;  // enum trace_language
    uint16_t reserved;
};

enum trace_verb { // what a call spec says a function does
    TRACE_ACQUIRE = 1,
    TRACE_RELEASE,
    TRACE_DISCARD, // release for good, the pool does not get it back
    TRACE_FILL,    // opens handles for the pool
    TRACE_USE,     // carries a handle, neither begins nor ends a session
    TRACE_SIZE,    // tells a pool's size
};

struct trace_function { // a traced function
    uint64_t calls;     // 0: never called; 1: called
    uint32_t name;      // string
    uint32_t kind;      // string: the spec's kind, e.g. "sqlite3", "libzdb"
    uint16_t verb;      // enum trace_verb
    uint8_t asked;      // 1: named by the user, not one of the shipped specs
    uint8_t patch;      // enum trace_patch
    uint32_t hooked;    // places where it was hooked
};

// The occupancy of a pool over time: bucket i is the largest number out at once in
// [origin + i*width, origin + (i+1)*width). When time runs past the last bucket, neighbours are
// merged and the width doubles.
enum { TRACE_TIMELINE_BUCKETS = 128 };
struct trace_timeline {
    uint64_t origin_ns;
    uint64_t width_ns;
    uint32_t most_out[TRACE_TIMELINE_BUCKETS];
};

// Who was behind the buckets of a pool's timeline: moments[i] goes with most_out[i], and is merged
// with its neighbour as those are (the holders of the larger number, the sum of the time-outs). The
// bucket that is being written (trace_pool.bucket) has no holders here yet: see trace_site.high.
// Made when the second bucket begins: a pool without one lived for one bucket.
enum { TRACE_MOMENT_HOLDERS = 8 };
struct trace_moment {
    struct trace_moment_holder {
        uint32_t site;
        uint32_t count;              // 0: there are no more
    } holders[TRACE_MOMENT_HOLDERS]; // when most_out[i] was reached; those that held most first
    uint32_t waiting;                // acquires that waited during the bucket, of those in `waits`;
                                     // of merged buckets, the larger number
    uint32_t timeouts;
};
struct trace_history {
    uint32_t pool;
    uint32_t reserved;
    uint64_t width_ns; // of the timeline when this was written last
    struct trace_moment moments[TRACE_TIMELINE_BUCKETS];
};

// Times of acquires: bucket 0 counts those below 2^23 ns (8.4 ms: the clock that says when a call
// began has ticks of up to 4 ms), bucket i those of [2^(22+i), 2^(23+i)) ns, the last all above.
enum { TRACE_TOOK_BUCKETS = 16, TRACE_TOOK_SHIFT = 23 };

// What each acquire and release writes lies together, on as few cache lines as possible: threads on
// several processors do so at once. Hence the order of the fields, and sizes that are multiples
// of 64.
struct trace_pool {
    uint64_t acquires;   // that succeeded
    uint32_t out;        // checkouts out now
    uint32_t high_water; // most checkouts out at once
    uint32_t peak;       // number of the peak; see trace_site.peak
    uint32_t waiting;    // in an acquire right now, where that is known
    uint64_t failed;     // acquires that failed
    uint64_t timeouts;   // of the failed ones, those known to have timed out
    uint64_t waits;      // acquires (failed or not) that waited for somebody else's release, for at
                         // least wait_threshold_ns
    uint64_t total_wait_ns;
    uint64_t longest_wait_ns;
    uint64_t high_water_ns; // when high_water was first reached
    uint64_t address;       // of the pool object; 0 if the pool is known by name only
    uint64_t wait_threshold_ns;
    uint32_t kind;       // string: "apr_reslist", "libzdb", "sqlalchemy", ...
    uint32_t name;       // string or none: what the program calls it, a URL without password
    uint32_t detail;     // string or none: class of the pool, e.g. "QueuePool"
    uint32_t size;       // TRACE_UNKNOWN where not known
    uint32_t overflow;   // TRACE_UNKNOWN where not known
    uint32_t timeout_ms; // the pool's own limit on waiting; TRACE_UNKNOWN where not known
    uint64_t openings;   // acquires that took so long and succeeded, but waited for nobody
    uint64_t longest_opening_ns;
    struct trace_timeline timeline;
    uint32_t bucket; // of the timeline, the one that is being written
    uint32_t high;   // number of the last time that its most_out rose; see trace_site.high
    uint32_t got[TRACE_TOOK_BUCKETS];     // acquires that succeeded by how long they took; got[0]
                                          // says nothing: it is `acquires` less the others
    uint32_t created[TRACE_TOOK_BUCKETS]; // connections by how long making them took, of those that
                                          // were seen being made by the pool
    uint64_t reserved_end[5];
};

// Hold times: bucket 0 counts below 1 us, bucket i those of [2^(i-1), 2^i) us, the last all above.
enum { TRACE_HOLD_BUCKETS = 32 };

// How many sessions of a site were out over time: least_out[i] is the smallest number out at once
// in [trace_site.first_ns + i*w, ... + (i+1)*w), w = width * TRACE_GROWTH_UNIT_NS, for i up to
// `reached`; since then it is trace_site.out. The smallest number, because traffic comes and goes
// below a bucket's width, and what is left over each time is what a leak makes grow. When time runs
// past the last bucket, neighbours are merged and the width doubles. From the beginning of
// interpreter shutdown on nothing changes any more.
enum { TRACE_GROWTH_BUCKETS = 30, TRACE_GROWTH_UNIT_NS = 62500000 };
struct trace_growth { // 128 bytes
    uint32_t width;   // a power of two; 0: no timeline
    uint32_t reached; // the last bucket that was written
    uint32_t least_out[TRACE_GROWTH_BUCKETS];
};

enum trace_site_flags {
    TRACE_SITE_EXCEPTION = 1 << 0, // an exception was seen to leave the function that acquired
    TRACE_SITE_WRAPPER = 1 << 1,   // of handles around or inside those of another library, which
                                   // are counted
                                   // in its stead: a sqlite3* that apr_dbd opens
    TRACE_SITE_INHERITED = 1 << 2, // of sessions out before the attach, none of which was seen
                                   // acquired: its numbers are no part of what was opened
};

// From where sessions of a site came back, of a sample: the first ones, then one of every few
// dozen. A function that is in the stack of the acquire and in this one closes what it opens, or
// has it closed; one that is in the first only had returned by then.
enum { TRACE_WAYS = 6 };
struct trace_way {
    uint32_t stack; // of the release; TRACE_NONE: the place is free
    uint32_t count; // of the sample
};

// A site in the recorder's sense: one stack that acquired from one pool through one function.
// Reports merge those whose first user frame is the same.
struct trace_site {
    uint32_t stack;    // of the acquire
    uint32_t created;  // stack: where the object was created, if elsewhere (an ORM session); one
                       // without frames if that was before the attach
    uint32_t pool;     // TRACE_NONE: not from a pool
    uint32_t function; // the traced function that acquired, or TRACE_NONE (a language runtime)
    uint32_t kind;     // enum trace_kind
    uint32_t flags;    // enum trace_site_flags
    uint32_t test;     // string: the test that was running; a site is of one test
    uint32_t task;     // string: the task of the last acquire
    uint32_t database; // string: of the last session here
    uint32_t longest_thread; // string
    uint64_t refusals;       // releases refused (SQLITE_BUSY), whatever came after
    uint64_t zombies;        // sqlite3_close_v2 with children alive, whatever came after
    uint64_t failed;         // acquires that failed here
    // Written by each acquire and release:
    uint32_t out;  // out now, in the sense of the pool's high-water mark
    uint32_t peak; // out_at_peak is valid if this equals the pool's peak, else `out` is it
    uint32_t out_at_peak;
    uint32_t most_out;          // most out at once from this site
    uint64_t first_ns, last_ns; // first and last acquire
    uint64_t total_hold_ns;     // of the ended
    uint64_t longest_ns;        // longest hold among the ended
    uint64_t late; // released by the code, but held longer than trace_header.threshold_ns
    uint32_t high; // out_at_high is valid if this equals the pool's high, else `out` is it: what
                   // was out when most_out of the bucket being written was reached
    uint32_t out_at_high;
    uint64_t ended[TRACE_ENDS]; // sessions ended, by enum trace_end
    uint32_t hold[TRACE_HOLD_BUCKETS];
    struct trace_growth growth;
    struct trace_way ways[TRACE_WAYS]; // the used ones first
    uint32_t ways_more;                // of the sample, released from further places
    uint32_t used;       // stack: where one of the sessions was used first, after its acquire; as a
                         // function's callers use what it hands on to them
    uint64_t exceptions; // sessions never closed by the code after an exception passed by
};

enum trace_session_state {
    TRACE_SLOT_FREE = 0,
    TRACE_SLOT_LIVE,
    TRACE_SLOT_RELEASING, // inside the program's release call; counts as ended
    TRACE_SLOT_ENDED,     // being counted into its site; counts as ended
};

enum trace_session_flags {
    TRACE_SESSION_REFUSED = 1 << 0,       // a release was refused and none succeeded since
    TRACE_SESSION_ZOMBIE = 1 << 1,        // closed by sqlite3_close_v2, kept alive by children
    TRACE_SESSION_POOLED = 1 << 2,        // a handle that belongs to the pool `owner`
    TRACE_SESSION_INHERITED = 1 << 3,     // open before fork or attach
    TRACE_SESSION_USED = 1 << 4,          // ... and used since, in this process
    TRACE_SESSION_ASKED = 1 << 5,         // known: whether a transaction was open
    TRACE_SESSION_TRANSACTION = 1 << 6,   // a transaction was open when that was last seen
    TRACE_SESSION_SHUTDOWN = 1 << 7,      // was still out when interpreter shutdown began
    TRACE_SESSION_EXCEPTION = 1 << 8,     // an exception left the function that acquired it
    TRACE_SESSION_TOLD = 1 << 9,          // the recorder has written that it is held too long
    TRACE_SESSION_THREAD_ENDED = 1 << 11, // its thread had ended when the process did, or was left
    TRACE_SESSION_LOST =
        1 << 12, // dropped, and its pool never gets the place back; still out of it
    TRACE_SESSION_RECLAIMED = 1 << 10, // of a free slot: its last session was never closed by code
};

struct trace_session { // 64 bytes
    uint32_t state;    // enum trace_session_state; stored with release, read with acquire
    uint32_t flags;    // enum trace_session_flags
    uint64_t handle;
    uint64_t acquired_ns; // of an inherited one: out since then at least
    uint32_t site;        // TRACE_NONE: inherited without a known acquire
    uint32_t owner;       // pool this handle belongs to (TRACE_SESSION_POOLED), or of the checkout
    uint32_t tid;         // kernel thread id of the acquirer; of an inherited one of its
                          // holder, or 0
    uint32_t thread;      // string: the thread's name
    uint32_t database;    // string: file name, URL
    uint32_t detail;      // string: SQL of the statements that keep it alive; of an inherited
                          // checkout: what was found to hold it
    uint32_t test;        // string: the test that was running
    uint32_t task;        // string: the asyncio task
    uint32_t older_s;     // of an inherited one: acquired at most so many seconds before
                          // acquired_ns; 0: not known
    uint32_t generation;  // counts the uses of this slot
};

enum trace_misuse_kind {
    TRACE_MISUSE_UNKNOWN = 1, // release of a handle that was never seen acquired
    TRACE_MISUSE_DOUBLE,      // release of a handle whose session has already ended
    TRACE_MISUSE_CHILD,       // use or release, in a forked child, of the parent's session
};
struct trace_misuse {  // one per kind and stack
    uint32_t kind;     // enum trace_misuse_kind
    uint32_t stack;    // of the misuse
    uint32_t function; // the traced function that was called
    uint32_t site;     // of the session meant, where known
    uint64_t count;
    uint64_t first_ns, last_ns;
    uint64_t handle;   // of the last one
    uint32_t database; // string
    uint32_t thread;   // string
};

// Pool exhaustion: an acquire that failed or waited long, and who held the pool at that moment.
// Its reference is `first` + the index of its first word, as with stacks.
struct trace_exhaustion {
    uint64_t at_ns;     // when it was recorded
    uint64_t waited_ns; // how long that acquire had waited or took
    uint32_t pool;
    uint32_t stack;   // of the waiter
    uint32_t thread;  // string
    uint32_t failed;  // 1: the acquire failed, 0: it got one in the end
    uint32_t waiting; // acquires under way, this one included
    uint32_t holder_count;
    struct trace_holder {
        uint32_t site;
        uint32_t thread; // string
        uint64_t acquired_ns;
    } holders[];
};

#define TRACE_SIZE_IS(type, n) _Static_assert(sizeof(type) == (n), #type " has a fixed size")
TRACE_SIZE_IS(struct trace_header, TRACE_HEADER_BYTES);
TRACE_SIZE_IS(struct trace_chunk, 64);
TRACE_SIZE_IS(struct trace_session, 64);
TRACE_SIZE_IS(struct trace_location, 16);
TRACE_SIZE_IS(struct trace_site, 576);
TRACE_SIZE_IS(struct trace_growth, 128);
TRACE_SIZE_IS(struct trace_pool, 832);
TRACE_SIZE_IS(struct trace_history, 9232);
TRACE_SIZE_IS(struct trace_holder, 16);

#endif
