// Plans for patching the functions inside of programs: which files are looked into for them.
#ifndef UNCLOSED_CLI_PATCHES_H
#define UNCLOSED_CLI_PATCHES_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

struct patches;

// For a command: the executable `program` (NULL: unknown), the libraries that it is linked with,
// and the files that the user names. pools: text of the user's specs. Result: never NULL.
struct patches *patches_of_command(const char *program, const char *const *files, size_t count,
                                   const char *pools);

// For the live process `pid`. wanted: false if its user does not want it to be patched: the text
// then only says what would be.
struct patches *patches_of_process(pid_t pid, const char *pools, bool wanted);

// The plan for the recorder (UNCLOSED_PATCHES); "" if there is none.
const char *patches_text(struct patches *patches);

// Names of functions that begin or end sessions and could be patched, at most a few of them, and
// the file of the first; NULL: none. To be freed.
char *patches_names(const struct patches *patches, const char **file);

// Why calls of the function `name` may not have been seen, as the rest of a sentence; NULL: not
// known.
const char *patches_reason(const struct patches *patches, const char *name);

// Whether something may be inside the program itself that cannot be found, because it has no
// symbols. asked: the user looks for functions; else only SQLite counts.
bool patches_is_stripped(const struct patches *patches, bool asked);

void patches_free(struct patches *patches);

#endif
