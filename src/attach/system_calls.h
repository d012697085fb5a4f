// What is known of system calls by their number.
#ifndef UNCLOSED_ATTACH_SYSTEM_CALLS_H
#define UNCLOSED_ATTACH_SYSTEM_CALLS_H

#include <stdbool.h>

// Whether a call waits and answers EINTR, not a request to restart, when a stop wakes it: signal(7)
// "never restarted", and those with a time limit on the socket. Issuing one again does no harm,
// because an interrupted one has done nothing. Thread-safe, async-signal-safe.
bool system_call_answers_interrupted(long number);

#endif
