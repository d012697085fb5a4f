// Taking passwords out of connection strings before they are written down.
//
// Knows the usual ways to write one: URLs (postgres://user:secret@host/db) and lists of key=value
// (host=x password=secret, UID=a;PWD={s;ecret}, host=x,pass=secret). When in doubt too much is
// taken out. Async-signal-safe.
#ifndef UNCLOSED_SHARED_REDACT_H
#define UNCLOSED_SHARED_REDACT_H

#include <stddef.h>

// Copies `text` to `to`, cut after bytes - 1 bytes, with each password replaced by ***.
// Result: length of the copy.
size_t redact(const char *text, char *to, size_t bytes);

#endif
