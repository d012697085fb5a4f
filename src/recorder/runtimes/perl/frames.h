// The frames of Perl code on this thread. Reads only.
#ifndef UNCLOSED_RECORDER_RUNTIMES_PERL_FRAMES_H
#define UNCLOSED_RECORDER_RUNTIMES_PERL_FRAMES_H

#include <stdbool.h>

#include "recorder/books/session.h"
#include "recorder/stacks/stack_memo.h"

// Looks for an interpreter, and says in the trace what is not seen of it. false: there is none.
// closers: whether the native stack of this version tells who closes. Takes the loader's lock.
bool perl_frames_find(bool *closers);

// See struct runtime.
void perl_frames_append(struct stack *stack, const struct stack_origin *origin);

// Whether a sub of this name is among the innermost of those that are running.
bool perl_frames_runs(const char *name);

#endif
