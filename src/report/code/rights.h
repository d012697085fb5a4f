// Opening files that a trace names with the rights of those who wrote the trace, not with ours.
//
// A trace is hostile input: it may name /etc/shadow as the source of a line, a device or a FIFO as
// a module. What is shown of a file is shown only if all owners of the traces of a report may read
// it.
//
// Knows nothing of traces. Not thread-safe: changes the thread's rights for a moment, if we are
// root.
#ifndef UNCLOSED_REPORT_CODE_RIGHTS_H
#define UNCLOSED_REPORT_CODE_RIGHTS_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum { RIGHTS_MOST = 32 };

struct rights {
    uid_t uid[RIGHTS_MOST]; // all of them must be allowed to read
    size_t count;
    bool too_many; // nobody can be asked any more: nothing is opened
};

// Adds a user. Result: whether there are fewer rights now than before.
bool rights_add(struct rights *rights, uid_t uid);

// Opens the regular file `path` for reading. Never waits for a FIFO and never opens a device.
// Result: a descriptor, or -errno: -EACCES if one of the users may not read it, -EINVAL if it is no
// regular file.
int rights_open(const struct rights *rights, const char *path);

#endif
