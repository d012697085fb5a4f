// The counts a test program keeps itself, from what the library told it and nothing else.
//
// Knows nothing of unclosed. A program calls counts_opened with each handle an open gave it and
// counts_closed with each result of a close, and prints "name=value" lines which the tests compare
// with the trace. Lines with a comment "// site: NAME" are those a report has to name.
#ifndef TESTS_COUNTS_H
#define TESTS_COUNTS_H

#include <sqlite3.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static atomic_long counts_open_handles, counts_close_done, counts_close_refused;

// `db` is what an open stored, whatever it returned: a failed open may store one.
static inline sqlite3 *counts_opened(sqlite3 *db)
{
    if (db != NULL)
        atomic_fetch_add(&counts_open_handles, 1);
    return db;
}

// `result` of closing a handle that is not NULL.
static inline int counts_closed(int result)
{
    if (result == SQLITE_OK)
        atomic_fetch_add(&counts_close_done, 1);
    else if (result == SQLITE_BUSY)
        atomic_fetch_add(&counts_close_refused, 1);
    return result;
}

// One write, so that the lines of several processes do not mix.
static inline void counts_print(void)
{
    char text[200];
    int length = snprintf(text, sizeof text, "pid=%d opened=%ld closed=%ld refused=%ld\n",
                          (int)getpid(), atomic_load(&counts_open_handles),
                          atomic_load(&counts_close_done), atomic_load(&counts_close_refused));
    if (write(STDOUT_FILENO, text, (size_t)length) != length)
        abort();
}

// A forked child counts for itself.
static inline void counts_reset(void)
{
    atomic_store(&counts_open_handles, 0);
    atomic_store(&counts_close_done, 0);
    atomic_store(&counts_close_refused, 0);
}

// For calls that have to succeed for the test to make sense.
static inline void must(int condition, const char *what)
{
    if (!condition) {
        perror(what);
        exit(99);
    }
}

#endif
