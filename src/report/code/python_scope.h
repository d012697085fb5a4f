// Which definition a line of Python source is in, told by its indentation.
//
// Before 3.11 an interpreter knows "save" where a later one says "Store.save"; the source knows it
// always. Knows source text; neither frames nor sites. Not thread-safe.
#ifndef UNCLOSED_REPORT_CODE_PYTHON_SCOPE_H
#define UNCLOSED_REPORT_CODE_PYTHON_SCOPE_H

#include "report/code/code_text.h"

// The qualified name of `function` (as the interpreter says it: "save", "<lambda>") that runs
// `line` of `file`: "Store.save", "make.<locals>.<lambda>". What is qualified already, and what the
// source does not bear out or cannot be read, is returned as it is. Lives as long as the arena.
// directory: what a relative `file` is relative to.
// begin: set to the line of the innermost definition; 0: at module level, or not known.
const char *python_scope_name(struct arena *arena, struct code_text *code, const char *directory,
                              const char *file, unsigned line, const char *function,
                              unsigned *begin);

#endif
