// The traces that `unclosed top` looks at, read again and again.
//
// Only files are read: the process is not touched. Knows nothing of what is shown. Not thread-safe.
#ifndef UNCLOSED_CLI_TOP_TARGET_H
#define UNCLOSED_CLI_TOP_TARGET_H

#include <stddef.h>
#include <stdint.h>

#include "report/profile/profile.h"

struct top_target; // opaque

// The traces behind names: processes, traces, folders, as for `unclosed held`; the names have to
// outlive it. NULL if there are none: a message for each name was printed then.
struct top_target *top_target_open(const char *const *names, size_t count, uint64_t threshold_ns);
void top_target_close(struct top_target *target); // after the profiles; NULL is fine

// Reads the traces as they are now. Once all processes have ended, or the recorder has left them,
// it looks whether they have another trace meanwhile; in folders it always looks for new ones.
// What is wrong with a trace is said on standard error by the first reading, and is among each
// profile's problems. Result: NULL if nothing could be read.
struct profile *top_target_read(struct top_target *target);

#endif
