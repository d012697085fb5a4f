// Writing lines to wherever a program's messages go, without harm to that program.
//
// Shared by the recorder and the command line. Async-signal-safe and thread-safe; not a
// cancellation point. errno may change.
#ifndef UNCLOSED_SHARED_LINE_OUT_H
#define UNCLOSED_SHARED_LINE_OUT_H

#include <stdbool.h>
#include <stddef.h>

// Writes `bytes` bytes, at most PIPE_BUF, if that can be done at once, without waiting and without
// a signal: whoever reads them may have gone, or may not be reading. false: not written.
bool line_out(int fd, const char *line, size_t bytes);

// The same, but waits for a reader that is slow, up to `patience_ms` milliseconds.
bool line_out_wait(int fd, const char *line, size_t bytes, int patience_ms);

// Opens the file that a user named for messages, to be added to; created if `create` and there is
// none. Never waits. A symbolic link is followed only in /dev and /proc, where nobody plants one.
// Result: a descriptor, which is the caller's to close, or -errno; -ENXIO: a FIFO that nobody
// reads; -ELOOP: a link; -EINVAL: neither a file nor a pipe nor a device of characters.
int line_out_open(const char *path, bool create);

#endif
