// The interpreter's life as far as it concerns the recorder.
#ifndef UNCLOSED_RECORDER_RUNTIMES_PYTHON_LIFE_H
#define UNCLOSED_RECORDER_RUNTIMES_PYTHON_LIFE_H

#include <stdbool.h>

// Whether interpreter shutdown has begun. When it is first seen, all sessions that are out are
// marked as still out at that moment. GIL held, outside recorder_enter.
bool python_life_is_shutdown(void);

#endif
