// Which of the equal lines of a function one is.
//
// Lines are equal if they differ in what does not matter only. Each file is looked at once, however
// many of its lines are asked for. Knows source text; neither frames nor sites. Not thread-safe.
#ifndef UNCLOSED_REPORT_CODE_EQUAL_LINES_H
#define UNCLOSED_REPORT_CODE_EQUAL_LINES_H

#include "report/code/code_text.h"

enum { EQUAL_LINES_BYTES = 512 }; // a longer line counts up to here

struct equal_lines; // opaque: the files looked at so far

// Both have to outlive the result.
struct equal_lines *equal_lines_new(struct arena *arena, struct code_text *code);
void equal_lines_free(struct equal_lines *lines);

struct equal_lines_place {
    const char *directory; // what a relative `file` is relative to
    const char *file;
    const char *language; // of the frame, see struct frame; or NULL
    unsigned line;
    unsigned begin; // line of the function's definition; 0: not known, a "}" in the first column
                    // ends functions
};

// above, below: set to the number of lines equal to that of the place in front of it and behind it,
// in its function; at most some thousand lines away.
void equal_lines_count(struct equal_lines *lines, const struct equal_lines_place *place,
                       unsigned *above, unsigned *below);

// The line without what does not matter: comments, indentation, blanks in a row. Cut at `bytes`.
// In texts in quotes nothing is changed.
void equal_lines_normalize(char *to, size_t bytes, const char *line, const char *language);

#endif
