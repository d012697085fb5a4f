// Pools that nobody has described, by what their methods are called. Knows no sessions.
#ifndef UNCLOSED_RECORDER_RUNTIMES_PYTHON_GUESS_H
#define UNCLOSED_RECORDER_RUNTIMES_PYTHON_GUESS_H

#include "recorder/runtimes/python/wrap.h"
#include "shared/spec.h"

// Wraps what looks like methods of pools in the classes of a module (complete), as `spec` asks, of
// which the function is SPEC_GUESS: acquire, getconn or get_connection; release or putconn. called:
// what they are wrapped with; its data is `spec`. GIL held; runs Python code.
void python_guess(const char *module, const struct spec *spec, python_wrapped called);

#endif
