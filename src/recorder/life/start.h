// What the recorder is asked to do in this process.
#ifndef UNCLOSED_RECORDER_LIFE_START_H
#define UNCLOSED_RECORDER_LIFE_START_H

#include <stdbool.h>

// Whether we were preloaded; false: somebody opened this library, and will call unclosed_attach.
bool start_is_asked(void);

// Fills in recorder_options: from the environment, or from a list "NAME=value\0...\0\0". What is
// wrong is said on the log, and the default holds.
void start_read_options(const char *list);

#endif
