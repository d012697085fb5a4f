// Suppressions: leaks that are known and not to be mended here, by patterns of code.
//
// The syntax is LeakSanitizer's: a line "leak:PATTERN" is for sessions of which the function, the
// file or the module of any frame has PATTERN in it; "*" stands for anything, "^" at its beginning
// and "$" at its end for those of the name. "handle:", "checkout:", "session:" and "statement:" are
// for sessions of that kind only. A comment right above, from "#" on, is the reason.
// Files may have been written by anybody. Knows frames; nothing of sites. Not thread-safe.
#ifndef UNCLOSED_REPORT_PROFILE_SUPPRESSIONS_H
#define UNCLOSED_REPORT_PROFILE_SUPPRESSIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "report/code/frames.h"
#include "trace/trace_format.h"

struct suppression {
    const char *kind; // as it stands there: "leak", "handle" ...
    const char *pattern;
    const char *reason; // "" if there is none
    const char *file;   // that it is from
    unsigned line;
    uint64_t used; // sessions it has suppressed
};

struct suppressions {
    struct arena *arena; // of all that is in it
    LIST(struct suppression) list;
};

// Adds those of a file: at most 1 MiB, and 4,096 in all. found: it was not named by the user, so
// it is left out, with a message in *warning, if it belongs to another user than us and root, or
// anybody may write to it.
// Result: NULL, or one sentence that begins with the file, and its line where it is about one.
const char *suppressions_read(struct suppressions *suppressions, const char *path, bool found,
                              const char **warning);

// The files that are used without being named, of those that there are: ".unclosed.supp" in the
// working directory or the nearest folder above it that has one, up to the root of the repository
// (see source_root.h), and in the home folder. paths: room for two. Result: how many there are.
size_t suppressions_find(struct arena *arena, const char *paths[2]);

// The first that fits a session of this kind with that stack (and that where its object was
// created, or NULL); NULL: none does.
struct suppression *suppressions_match(const struct suppressions *suppressions,
                                       enum trace_kind kind, const struct frames *stack,
                                       const struct frames *created);

// Whether a pattern fits a text.
bool suppression_fits(const char *pattern, const char *text);

#endif
