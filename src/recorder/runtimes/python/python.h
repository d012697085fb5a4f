// CPython in the traced process: what the rest of the recorder calls. docs/python.md tells how it
// works.
//
// Everything here may be called whether or not there is an interpreter, from any thread, without
// the GIL, and never waits for the GIL.
#ifndef UNCLOSED_RECORDER_RUNTIMES_PYTHON_PYTHON_H
#define UNCLOSED_RECORDER_RUNTIMES_PYTHON_PYTHON_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

// An interpreter was found (or one that must be left alone): python_start need not be called again.
extern atomic_bool python_found;

// Looks for CPython in the process and, if it is there, arranges that pools and frames are seen:
// from the constructor, after each module was loaded while !python_found, and after an attach.
// Costs one failed symbol look-up where there is none.
void python_start(void);

// What is to be said of the interpreter in the flags of a trace's header.
uint32_t python_flags(void);

// Detach: the interpreter is left as it was, by a thread of its own, as soon as that gets the GIL;
// waits for it up to a second.
void python_leave(void);

#endif
