// The recorder's own messages: to standard error, or to the file that UNCLOSED_LOG names.
//
// Async-signal-safe: a fixed buffer of the caller's, numbers formatted here, written by system
// call.
#ifndef UNCLOSED_RECORDER_CORE_LOG_H
#define UNCLOSED_RECORDER_CORE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { LOG_BYTES = 2048 };
struct log {
    int fd; // -1: not open
    size_t used;
    char text[LOG_BYTES];
};

// Remembers which file standard error is, so that nothing is ever written to another one that gets
// its number later, and whether the environment asks for UTF-8: otherwise all that is written is
// ASCII. To be called before the program runs.
void log_remember_surroundings(void);

void log_open(struct log *log);
// What the recorder says itself, and what the program calls something. Both are cleaned (see
// shared/clean.h); a name cannot end the line.
void log_text(struct log *log, const char *text);
void log_name(struct log *log, const char *name);
void log_number(struct log *log, uint64_t number);
void log_hex(struct log *log, uint64_t number);
void log_seconds(struct log *log, uint64_t ns); // "12.3 s"
void log_close(struct log *log);                // writes what is left

// A line of the verbose log, which says what the recorder does in this process. Result: false if
// the log is off; nothing is written then, and log_end not called.
bool log_begin(struct log *log, const char *text);
void log_end(struct log *log);

// Writes one line as line_out does. Not for several threads at once.
bool log_line(const char *line, size_t bytes);

// One line: no trace could be created at `path`, for this errno value, and what to do.
void log_no_trace(const char *path, int error);

#endif
