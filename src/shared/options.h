// The options of a traced run: one table that yields command-line flags and UNCLOSED_* variables.
//
// Shared by the recorder, which reads the variables, and by the command line, which makes flags of
// the same table and passes them on as variables. Knows what an option looks like and how its value
// is written, not what it does.
//
// Everything here is async-signal-safe and touches only its arguments: no malloc, no stdio, no
// locale.
#ifndef UNCLOSED_SHARED_OPTIONS_H
#define UNCLOSED_SHARED_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { OPTIONS_PATH_BYTES = 1024, OPTIONS_DEPTH_LIMIT = 128 };

enum options_follow {
    OPTIONS_FOLLOW_ALL = 0, // forked children and the programs they execute
    OPTIONS_FOLLOW_FORK,    // forked children, but not other programs
    OPTIONS_FOLLOW_NONE,    // only the command itself
};

enum options_sql {
    OPTIONS_SQL_REDACTED = 0, // literals become ?
    OPTIONS_SQL_FULL,
};

struct options {
    char output[OPTIONS_PATH_BYTES];   // pattern of the trace's path, see output_name.h
    char log[OPTIONS_PATH_BYTES];      // where the summary goes; "": standard error
    char journal[OPTIONS_PATH_BYTES];  // where processes of a run say that they are there, or ""
    char fallback[OPTIONS_PATH_BYTES]; // folder for traces that cannot be created where `output`
                                       // says; "": none
    const char *pools;   // value of UNCLOSED_POOLS or NULL, see specs_load; not copied
    const char *patches; // plan for patching entries, see patch_plan.h; or NULL; not copied
    bool force;          // an existing trace is overwritten
    bool python;         // look into CPython interpreters
    bool verbose;        // log what the recorder does, see log_begin
    int follow;          // enum options_follow
    int sql;             // enum options_sql
    int signal;          // dump signal; 0: none
    uint32_t depth;      // frames kept of a stack, 1 to OPTIONS_DEPTH_LIMIT
    uint32_t root;       // pid of the command that `unclosed run` started; 0: unknown
    uint32_t trace_fd;   // descriptor of this process's trace, open already; 0: none
    char trace_name[OPTIONS_PATH_BYTES]; // its path elsewhere
    bool watched; // a tool looks for sessions held too long and writes of them, see overdue.h
    uint64_t threshold_ns;      // a session held longer than this is late; 0: off
    uint64_t wait_threshold_ns; // an acquire that takes this long counts as a wait
    uint64_t run_id;            // the same for all processes of one `unclosed run`; 0: none
};

enum option_kind {
    OPTION_PATH = 0, // copied, at most OPTIONS_PATH_BYTES - 1 bytes
    OPTION_TEXTS,    // any text; as a flag it may be given several times
    OPTION_DURATION, // 30s, 500ms, 2m; 0
    OPTION_INTEGER,  // decimal, from `least` to `most`
    OPTION_HEX,      // 64 bits in hexadecimal
    OPTION_CHOICE,   // one of `choices`, separated by |; the value is its number
    OPTION_BOOL,     // 1, 0, yes, no, on, off, true, false
    OPTION_SIGNAL,   // SIGUSR2, USR2, 12, none
};

struct option_entry {
    const char *variable; // name in the environment
    const char *flag;     // long flag without the dashes; NULL: internal, not for users
    char letter;          // short flag, or 0
    uint8_t kind;         // enum option_kind
    uint16_t offset;      // of the field in struct options
    uint32_t least, most; // OPTION_INTEGER
    const char *choices;  // OPTION_CHOICE
    const char *standard; // value if nothing is said; NULL: empty
    const char *set;      // OPTION_BOOL: the value that the flag stands for
    const char *argument; // what --help calls the value
    const char *help;     // one sentence without a full stop
};

extern const struct option_entry option_table[];
extern const size_t option_count;

// Fills in the field of `entry` from `value`. Result: NULL, or the expected form if the value is
// not of it (the field is then as it was).
const char *option_set(const struct option_entry *entry, const char *value,
                       struct options *options);

// Fills in all fields: what `get` knows, else the defaults. A bad value is passed to `bad`
// (may be NULL) with the expected form, and the default holds.
// get: value of an environment variable or NULL; data is passed to both.
void options_read(struct options *options, const char *(*get)(void *data, const char *name),
                  void (*bad)(void *data, const struct option_entry *entry, const char *value,
                              const char *expected),
                  void *data);

// Parses "30s", "1.5s", "500ms", "20us", "7ns", "2m", "1h", or "0". false: not of this form, or
// more than 2^63 ns.
bool option_duration(const char *text, uint64_t *ns);

#endif
