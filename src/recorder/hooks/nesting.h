// Wrapped calls within wrapped calls, per thread: which ones are under way.
#ifndef UNCLOSED_RECORDER_HOOKS_NESTING_H
#define UNCLOSED_RECORDER_HOOKS_NESTING_H

#include <stdbool.h>
#include <stdint.h>

#include "recorder/hooks/hook.h"

// A wrapped call begins; its frame is at `call`.
void nesting_enter(const struct call *call);
void nesting_leave(const struct call *call);

// What encloses a wrapped call.
struct nesting {
    const struct spec *spec; // of the innermost enclosing call of a pool, or if there is none, of
                             // any; NULL: none
    uint64_t pool_address;
};

// The call that encloses `call` on this thread, if one really does. After a longjmp, an exception
// or a switch of coroutines the list may name calls that are gone: the stack is asked.
struct nesting nesting_around(const struct call *call);

#endif
