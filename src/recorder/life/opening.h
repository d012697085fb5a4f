// Opening the trace of this process, and letting go of it.
#ifndef UNCLOSED_RECORDER_LIFE_OPENING_H
#define UNCLOSED_RECORDER_LIFE_OPENING_H

#include <stdbool.h>
#include <stdint.h>

#include "trace/lock.h"

// Held while the trace is opened: the outermost lock of the recorder, taken around fork by
// process.c, which so keeps traces from being opened.
extern struct lock opening_lock;

// Makes the trace and writes into it what belongs into every one. Whoever comes second waits. What
// has failed once is not tried again. Result: whether there is a trace. Inside recorder_enter, or
// before anything is recorded; with no lock held.
bool opening_open(void);

// The process that has opened it.
uint32_t opening_pid(void);

// Why there is none: 0 (not tried so far) or -errno.
int opening_error(void);

// The trace, if there is one, is complete: the next one to be opened is another. To be called while
// inactive; waits for the threads that are inside.
void opening_forget(void);

// In a forked child, before its first record: the trace so far is the parent's, and is kept until
// what was inherited is written into the own one. clean: all locks were held during the fork.
void opening_forked(bool clean);

#endif
