// From the pattern of a trace's path to the path.
//
// Knows the letters of the pattern only; who the process is, the caller says. Async-signal-safe.
#ifndef UNCLOSED_SHARED_OUTPUT_NAME_H
#define UNCLOSED_SHARED_OUTPUT_NAME_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct output_names {
    uint32_t pid;           // %p
    const char *executable; // %e: its base name is taken
    uint64_t seconds;       // %t: since 1970
    const char *host;       // %h
};

// Writes to `path` what `pattern` stands for; %% is a percent sign.
// distinct: append ".PID" if the pattern has no %p, for a process whose name was taken by another.
// Result: 0, -ENAMETOOLONG, or -EINVAL if a % is followed by another letter.
int output_name(const char *pattern, const struct output_names *names, bool distinct, char *path,
                size_t bytes);

// Whether a process with this id may have made `name`, without a folder, from the last component of
// a pattern: %p stands for that number, %t for digits, %e and %h for any text; .NUMBER may follow,
// twice, behind a name that was taken.
bool output_name_fits(const char *pattern, uint32_t pid, const char *name);

#endif
