// The SQL of statements: remembered as long as it may be asked for, and written into the trace only
// if it is, with its literals taken out.
#ifndef UNCLOSED_RECORDER_HOOKS_SQLITE_TEXT_H
#define UNCLOSED_RECORDER_HOOKS_SQLITE_TEXT_H

#include <stddef.h>
#include <stdint.h>

#include "trace/lock.h"

enum { SQLITE_TEXT_BYTES = 480 }; // the beginning that is kept of each

extern struct lock sqlite_texts_lock; // taken around fork by process.c

// Remembers a text. sql: NUL-terminated, or `bytes` long; bytes: negative if not known.
// Result: its number; 0: none. Never waits; async-signal-safe; errno is kept.
uint32_t sqlite_text_note(const char *sql, int64_t bytes);

// String reference of the text with this number, redacted; TRACE_NONE: forgotten since. There must
// be a trace.
uint32_t sqlite_text_name(uint32_t number);

// String reference of up to SQLITE_SHOWN of them, one behind the other; TRACE_NONE: none is known.
uint32_t sqlite_texts_name(const uint32_t *numbers, int count);

#endif
