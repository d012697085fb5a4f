// Lines of Python code, from the tables in code objects. A pure function of its arguments.
#ifndef UNCLOSED_STACKS_PYTHON_LINES_H
#define UNCLOSED_STACKS_PYTHON_LINES_H

#include <stddef.h>
#include <stdint.h>

// What PyCode_Addr2Line says in CPython 3.`minor`, of a code object that begins at line `first` and
// has this table (co_linetable, up to 3.9 co_lnotab). instruction: offset in bytes.
// Result: a line, or -1 if there is none.
int python_line(int minor, const uint8_t *table, size_t bytes, int first, int instruction);

#endif
