// Telling `unclosed run` what a trace cannot tell: see shared/journal.h.
#ifndef UNCLOSED_RECORDER_CORE_JOURNAL_H
#define UNCLOSED_RECORDER_CORE_JOURNAL_H

#include <stddef.h>
#include <stdint.h>

#include "shared/journal.h"

// Appends an entry to the journal of the run, if there is one; what cannot be written is left out.
// number, text: see enum journal_kind. Opens and closes the file: for what happens now and then.
// Thread-safe and async-signal-safe, also in a child of vfork. errno may change.
void journal_add(enum journal_kind kind, uint32_t number, const char *text);

// Several entries, of number 0, that are appended at once. Zero at first; for one thread at a time.
struct journal_lines {
    size_t used;
    char text[4096]; // at most PIPE_BUF, see line_out
};

// Adds an entry to those that journal_write will append; appends them when there is no more room.
void journal_collect(struct journal_lines *lines, enum journal_kind kind, const char *text);
void journal_write(struct journal_lines *lines);

// journal_add for a path, which is made absolute if it has a slash, or a name to be looked up.
void journal_add_path(enum journal_kind kind, const char *path);

#endif
