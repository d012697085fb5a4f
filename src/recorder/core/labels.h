// What goes with every session besides where it was acquired: the name of the thread, the test that
// runs. String references in the trace that is open; TRACE_NONE without one.
#ifndef UNCLOSED_RECORDER_CORE_LABELS_H
#define UNCLOSED_RECORDER_CORE_LABELS_H

#include <stdint.h>

// The name of the thread inside the recorder.
uint32_t recorder_thread_name(void);

// The test that runs in this process: goes with every session acquired from now on. NULL or "":
// none. The text is copied.
void recorder_set_test(const char *name);
uint32_t recorder_test(void); // its string reference

#endif
