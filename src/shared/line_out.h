// Writing one line to wherever a program's messages go, without harm to that program.
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

#endif
