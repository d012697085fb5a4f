// Whether the interpreter shuts down: what it ends from then on, the code has not.
#ifndef UNCLOSED_RECORDER_RUNTIMES_PYTHON_SHUTDOWN_H
#define UNCLOSED_RECORDER_RUNTIMES_PYTHON_SHUTDOWN_H

#include <stdbool.h>

// Whether it has begun. When that is noticed first, marks all sessions that are out. GIL held,
// outside recorder_enter.
bool python_is_shutdown(void);

// Nothing of the interpreter's may be kept any more: its objects are about to die, and what is kept
// keeps others alive, as a function keeps its module's variables. Any thread.
bool python_keeps_nothing(void);
void python_keep_nothing(void);

// Another interpreter begins, or the recorder comes back. GIL held.
void python_shutdown_forget(void);

#endif
