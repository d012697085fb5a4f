// The recorder's own summary: on the log, from inside the process, with what it knows.
#ifndef UNCLOSED_RECORDER_LIFE_DUMP_H
#define UNCLOSED_RECORDER_LIFE_DUMP_H

#include <stdbool.h>

// Writes the summary. Reads the trace only and takes no lock: async-signal-safe if `symbols` is
// false; with symbols the loader is asked for names of functions.
void dump_summary(bool symbols);

#endif
