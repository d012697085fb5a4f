// The recorder in the life of its process: start, fork, exit, signals, attach and detach.
#ifndef UNCLOSED_RECORDER_LIFE_PROCESS_H
#define UNCLOSED_RECORDER_LIFE_PROCESS_H

// unclosed_attach and unclosed_detach, see control.c. Result: 0 or -errno.
int process_attach(const char *options);
int process_detach(void);

#endif
