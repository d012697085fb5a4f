// The journal of a run: what its processes tell `unclosed run` besides their traces.
//
// A process that never calls a traced function has no trace, and neither has one that could not
// write any. The journal tells these apart: who was there, what was loaded, what could not be done.
// One line each, appended by a single write: KIND PID NUMBER TEXT. Whoever reads it trusts nothing
// in it: processes of other users may write to it.
//
// A process that may open no file makes a symbolic link instead, next to the journal and called
// like it with .PID.KIND behind; what it points to is the line. That takes no descriptor.
#ifndef UNCLOSED_SHARED_JOURNAL_H
#define UNCLOSED_SHARED_JOURNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum journal_kind {
    JOURNAL_PROCESS = 'p', // a process begins to be traced. number: its parent; text: executable
    JOURNAL_MODULE = 'm',  // a file of code is mapped. text: path
    JOURNAL_EXEC = 'x',    // a program is about to be executed. text: path, or name to be looked up
    JOURNAL_TRACE = 't',   // a trace was created. text: path
    JOURNAL_NO_TRACE = 'n', // no trace could be written. number: errno
    JOURNAL_UNPATCHED =
        'u', // a function inside a file is not seen. number: enum trace_patch; text: name
    JOURNAL_RUNTIME = 'r', // an interpreter is left alone. number: enum trace_python; text: version
};

enum {
    JOURNAL_TEXT_BYTES = 1024,     // of a text, NUL included
    JOURNAL_FILE_BYTES = 64 << 20, // nothing is added to a longer journal
};

struct journal_entry {
    enum journal_kind kind;
    uint32_t pid;
    uint32_t number;
    char text[JOURNAL_TEXT_BYTES]; // NUL-terminated, without controls
};

// Writes the line of an entry. text: cut at JOURNAL_TEXT_BYTES; controls become '?'.
// Result: its length in bytes, newline included. Async-signal-safe.
enum { JOURNAL_LINE_BYTES = JOURNAL_TEXT_BYTES + 32 };
size_t journal_line(enum journal_kind kind, uint32_t pid, uint32_t number, const char *text,
                    char line[JOURNAL_LINE_BYTES]);

// Writes the name of the link that stands for a line of this kind of a process that may open no
// file. journal: the journal's path. false: it is too long. Async-signal-safe.
enum { JOURNAL_LINK_BYTES = JOURNAL_TEXT_BYTES + 32 };
bool journal_link(const char *journal, enum journal_kind kind, uint32_t pid,
                  char name[JOURNAL_LINK_BYTES]);

// The entry in a line that ends at `line + bytes`, without its newline. Result: 0, or -EINVAL if it
// is none. Thread-safe.
int journal_parse(const char *line, size_t bytes, struct journal_entry *entry);

#endif
