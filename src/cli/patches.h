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

// Whether the plan patches the entry of `name` in `file`, which may be a link to the file that the
// plan was made of. In the process it may turn out not to be possible.
bool patches_has(const struct patches *patches, const char *file, const char *name);

// Why the plan does not patch the entry of `name` in `file`, as the rest of a sentence; NULL: it
// does, or has not found the function there.
const char *patches_reason(const struct patches *patches, const char *file, const char *name);

void patches_free(struct patches *patches);

#endif
