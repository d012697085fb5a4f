// Whether the interpreter shuts down: what it ends from then on, the code has not.
#ifndef UNCLOSED_RECORDER_RUNTIMES_PYTHON_SHUTDOWN_H
#define UNCLOSED_RECORDER_RUNTIMES_PYTHON_SHUTDOWN_H

#include <stdbool.h>

// Whether it has begun. When that is noticed first, marks all sessions that are out. GIL held,
// outside recorder_enter.
bool python_is_shutdown(void);

// Another interpreter begins. GIL held.
void python_shutdown_forget(void);

#endif
