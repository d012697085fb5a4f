// What /proc tells about a process and its threads.
//
// Knows nothing of ptrace and of the target's memory layout. Stops nothing. All functions are
// thread-safe.
#ifndef UNCLOSED_ATTACH_PROCESS_H
#define UNCLOSED_ATTACH_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

enum { PROCESS_THREADS = 16384 };

// Copies the value of `key` in /proc/PID/task/TID/status into `value`, without blanks in front and
// the newline behind. Result: 0 or -errno (-ENODATA: there is no such line).
int process_status(pid_t pid, pid_t tid, const char *key, char *value, size_t bytes);

// The first number of such a line, or -1.
long process_number(pid_t pid, pid_t tid, const char *key);

// State letter of a thread as in /proc/PID/task/TID/stat, or 0 if it is gone.
char process_state(pid_t pid, pid_t tid);

// The system call that a thread waits in: its number, in values its six arguments, stack pointer
// and program counter. Result: whether it does and that may be known (Linux: /proc/PID/syscall).
bool process_waits_in(pid_t pid, pid_t tid, long *number, uint64_t values[8]);

// Signals pending for the thread, and those it blocks, as bit masks. 0 if it is gone.
uint64_t process_pending_signals(pid_t pid, pid_t tid);
uint64_t process_blocked_signals(pid_t pid, pid_t tid);

// Lists at most `capacity` threads. Result: their number, or -errno.
int process_threads(pid_t pid, pid_t *tids, int capacity);

// A thread of the process that has not ended: the process's own id, unless its first thread has
// left alone (pthread_exit). Files in /proc/ID that concern the memory, descriptors or root are to
// be read with this id. 0: there is none.
pid_t process_living_thread(pid_t pid);

// Whether a thread of that name (at most 15 bytes) exists.
bool process_has_thread_named(pid_t pid, const char *name);

// Whether both processes see the same file system tree: same mount namespace and same root folder.
bool process_same_files(pid_t one, pid_t other);

// CLOCK_MONOTONIC in ns, and a sleep of that many.
uint64_t process_now(void);
void process_sleep(uint64_t ns);

#endif
