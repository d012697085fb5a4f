// The recorder in the life of its process: start, fork, exit, signals, attach and detach.
#ifndef UNCLOSED_RECORDER_LIFE_PROCESS_H
#define UNCLOSED_RECORDER_LIFE_PROCESS_H

#include <stdbool.h>

// Starts the recorder if this process is to be traced; at once the second time.
void process_start(void);

// true after unclosed_attach: what is released without having been seen may be older than we are.
bool process_is_attached(void);

// unclosed_attach and unclosed_detach, see api.c. Result: 0 or -errno.
int process_attach(const char *options);
int process_detach(void);

// The process calls _exit with this status: no handler will run. Inside recorder_enter.
void process_exiting(int status);

// Modules were loaded or unloaded: what depends on them is prepared.
void process_modules_changed(void);

// For recorder.c: a fork was noticed in the child; this process's trace has just been opened.
void process_forked(void);
void process_trace_opened(void);

// A traced function was called that is nowhere but here: ends the process as the loader would have.
_Noreturn void process_undefined(const char *name);

#endif
