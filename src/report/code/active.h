// Which functions of a stack were still active when another one was taken.
//
// Knows frames; not what a session is.
#ifndef UNCLOSED_REPORT_CODE_ACTIVE_H
#define UNCLOSED_REPORT_CODE_ACTIVE_H

#include <stdbool.h>

#include "report/code/frames.h"

// Whether two frames are of one function, as far as names tell.
bool active_same_function(const struct frame *a, const struct frame *b);

// The innermost frame of `stack` of which the function was active also when `later` was taken, as
// calls tell: the frames further out are the same in both, and so is this function, be it at
// another line. Frames of a language runtime are compared if `stack` has any, else native ones.
// Result: an index into `stack`; stack->count: nothing in common, or it cannot be told.
size_t active_in(const struct frames *stack, const struct frames *later);

#endif
