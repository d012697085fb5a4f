// Taking secrets out of what a program says before it is written down.
//
// Shared by the recorder and the command line. What is not understood is left out: a report that
// says too little can be helped with another look at the code, a password in a trace cannot.
// docs/security.md lists what is kept. Everything here is async-signal-safe and touches only its
// arguments.
#ifndef UNCLOSED_SHARED_REDACT_H
#define UNCLOSED_SHARED_REDACT_H

#include <stdbool.h>
#include <stddef.h>

// Copies a connection string to `to`, cut after bytes - 1 bytes, with *** for what is a secret or
// is not understood. Knows names and paths, URLs (postgres://user:secret@host/db?key=value, also of
// SQLAlchemy, JDBC and drivers), SQLite's URIs, and lists of key=value (libpq, ODBC, variables).
// bytes: of `to`, at least 1. Result: length of the copy, which ends with NUL.
size_t redact(const char *text, char *to, size_t bytes);

// Copies a command line to `to`, likewise, with a blank between arguments: the program, options and
// plain words stay; values of options that sound like secrets, scripts and assignments do not.
// arguments: each ends with NUL, as in /proc/PID/cmdline; one that does not is left out.
size_t redact_command(const char *arguments, size_t arguments_bytes, char *to, size_t bytes);

// Copies SQL to `to`, cut after bytes - 1 bytes: keywords and names stay, each literal (text,
// number, blob) becomes ?, comments go, blanks are put together. Of statements that can name a
// secret without quotes (PRAGMA, ATTACH, SET, CREATE USER, ...), and of what is no SQL, only the
// beginning stays. Holds for the dialects of SQLite, PostgreSQL, MySQL and SQL Server; where they
// differ over the end of a literal, the rest is left out. text_bytes: of `text`, which need not end
// with NUL. full: literals of statements that are understood stay. Result: length of the copy,
// which ends with NUL. Time: that of reading `text`, until `to` is full.
size_t redact_sql(const char *text, size_t text_bytes, bool full, char *to, size_t bytes);

#endif
