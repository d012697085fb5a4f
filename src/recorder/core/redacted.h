// Names of databases and pools as they may be written down: redacted, and interned.
#ifndef UNCLOSED_RECORDER_CORE_REDACTED_H
#define UNCLOSED_RECORDER_CORE_REDACTED_H

#include <stdint.h>

// The name that a program gave to a database or a pool, without secrets (shared/redact.h), as a
// TRACE_STRINGS reference; TRACE_NONE if it is lost. text: ends with NUL. A thread that names the
// same one again pays for a comparison only. Inside recorder_enter; thread-safe.
uint32_t redacted_name(const char *text);

#endif
