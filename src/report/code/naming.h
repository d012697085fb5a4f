// Which of a stack's frames names a site.
//
// Usually the first of the user's own. But `session = get_db()` in 45 places is 45 sites and not
// one inside get_db: a function that hands the session on to its caller (a factory) is passed over.
// Knows frames and source text; not what a report is.
#ifndef UNCLOSED_REPORT_CODE_NAMING_H
#define UNCLOSED_REPORT_CODE_NAMING_H

#include "report/code/code_text.h"
#include "report/code/frames.h"

// A stack to be named, and what became of the sessions acquired there.
struct naming {
    const struct frames *frames;
    const char *directory; // that its relative file names are relative to
    uint64_t opened, never_closed;
    size_t index; // result: the frame that names it; frames->count: none
    size_t via;   // result: the factory called there; frames->count: none
};

// Fills in the results of all `count` stacks together: whether a function is a factory shows in
// what its callers do with its sessions.
void naming_resolve(struct arena *arena, struct code_text *code, struct naming *stacks,
                    size_t count);

// Whether the source says that the session acquired at a line is handed on to the caller.
enum naming_evidence { NAMING_UNKNOWN, NAMING_KEPT, NAMING_HANDED_ON };
enum naming_evidence naming_python_evidence(struct code_text *code, const char *directory,
                                            const char *file, unsigned line);

// Whether the function around a line is a generator or a coroutine, which can be suspended. False
// where the source cannot be read.
bool naming_python_suspends(struct code_text *code, const char *directory, const char *file,
                            unsigned line);

#endif
