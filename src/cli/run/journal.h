// The journal of a run (shared/journal.h) from the command line's side: made before the command
// starts, read when it has ended.
#ifndef UNCLOSED_CLI_RUN_JOURNAL_H
#define UNCLOSED_CLI_RUN_JOURNAL_H

#include <stddef.h>
#include <sys/types.h>

#include "shared/journal.h"

// Makes an empty journal in a folder of its own that processes of all users can reach if root runs
// us. Result: its path, to be given to journal_remove; NULL: there is no place for it, and what
// needs it is not known.
char *journal_make(void);

// Calls `visit` for each entry of the journal at `path`, in the order of time. What is no entry is
// left out. path may be NULL. Result: bytes that were left unread because the journal is too long.
size_t journal_read(const char *path, void (*visit)(const struct journal_entry *entry, void *data),
                    void *data);

// Calls `visit` for each entry that was added since *offset, in bytes, which is advanced. Entries
// in links are not among them.
void journal_read_new(const char *path, off_t *offset,
                      void (*visit)(const struct journal_entry *entry, void *data), void *data);

// Removes the journal and its folder, and frees `path`.
void journal_remove(char *path);

#endif
