// Which of a stack's frames names a site.
//
// Usually the first of the user's own. But `session = get_db()` in 45 places is 45 sites and not
// one inside get_db: a function that hands the session on to its caller (a factory) is passed over.
// What was seen at run time decides: a function that had returned when its sessions were released,
// or first used, has handed them on; one that was active then closes them itself. Where neither was
// seen, the text of the source does, and if that cannot be read, what its callers did.
// Knows frames and source text; not what a report is.
#ifndef UNCLOSED_REPORT_CODE_NAMING_H
#define UNCLOSED_REPORT_CODE_NAMING_H

#include <stdbool.h>

#include "report/code/code_text.h"
#include "report/code/frames.h"

// Where sessions of a stack were seen later: released, or used for the first time.
struct naming_way {
    const struct frames *frames;
    uint64_t count;
    bool release;
    size_t active; // for naming.c: see active_in
};

enum { NAMING_ROUNDS = 4 }; // factories that call factories

// A stack to be named, and what became of the sessions acquired there.
struct naming {
    const struct frames *frames;
    const char *directory; // that its relative file names are relative to
    unsigned
        kind; // of sessions: those of another kind say nothing of what a function does with these
    uint64_t opened, never_closed;
    struct naming_way *ways;
    size_t way_count;
    size_t index;  // result: the frame that names it; frames->count: none
    size_t via;    // result: the factory called there; frames->count: none
    size_t caller; // result: the user's frame that called the one at `index`; frames->count: none
    // For naming.c: the functions passed over so far, and which of them weakly.
    struct {
        size_t from;
        bool weak;
    } step[NAMING_ROUNDS];
    unsigned steps;
};

// Fills in the results of all `count` stacks together: whether a function is a factory shows in
// what its callers do with its sessions.
void naming_resolve(struct arena *arena, struct code_text *code, struct naming *stacks,
                    size_t count);

// Whether the source says that the session acquired at a line is handed on to the caller.
// Yielded: by a generator that closes it behind the yield, unless an exception leaves it there.
// function: its qualified name ("<lambda>", "make.<locals>.<lambda>").
enum naming_evidence { NAMING_UNKNOWN, NAMING_KEPT, NAMING_HANDED_ON, NAMING_YIELDED };
enum naming_evidence naming_python_evidence(struct code_text *code, const char *directory,
                                            const char *file, unsigned line, const char *function);

// Whether the function around a line is a generator or a coroutine, which can be suspended. False
// where the source cannot be read.
bool naming_python_suspends(struct code_text *code, const char *directory, const char *file,
                            unsigned line);

#endif
