// Telling `unclosed run` what a trace cannot tell: see shared/journal.h.
#ifndef UNCLOSED_RECORDER_CORE_JOURNAL_H
#define UNCLOSED_RECORDER_CORE_JOURNAL_H

#include <stdint.h>

#include "shared/journal.h"

// Appends an entry to the journal of the run, if there is one; what cannot be written is left out.
// number, text: see enum journal_kind. Opens and closes the file: for what happens now and then.
// Thread-safe and async-signal-safe, also in a child of vfork. errno may change.
void journal_add(enum journal_kind kind, uint32_t number, const char *text);

// The same for a path, which is made absolute if it has a slash, or a name to be looked up.
void journal_add_path(enum journal_kind kind, const char *path);

#endif
