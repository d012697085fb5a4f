// Lines of source files, read where they can be read.
//
// Knows nothing of traces. Not thread-safe.
#ifndef UNCLOSED_REPORT_CODE_CODE_TEXT_H
#define UNCLOSED_REPORT_CODE_CODE_TEXT_H

#include <sys/types.h>

#include "report/code/memory.h"

struct code_text; // opaque: the files read so far

struct code_text *code_text_new(struct arena *arena);
void code_text_free(struct code_text *code); // NULL is fine

// From now on files are read only if this user may read them, too: see rights.h.
void code_text_restrict(struct code_text *code, uid_t uid);

// Line `line` (from 1) of `file`, with its indentation and without its end; NULL if it cannot be
// read. directory: what a relative `file` is relative to. Lives as long as the arena.
const char *code_text_line(struct code_text *code, const char *directory, const char *file,
                           unsigned line);

#endif
