// Why the calls of a function inside of a program are not seen, or not all of them.
#ifndef UNCLOSED_REPORT_PROFILE_PATCH_WORDS_H
#define UNCLOSED_REPORT_PROFILE_PATCH_WORDS_H

#include "trace/trace_patch.h"

// What goes on the sentence "calls of F inside the program are not seen: "; NULL if there is
// nothing to say: they are seen, or nothing is known.
const char *patch_words(enum trace_patch outcome);

#endif
