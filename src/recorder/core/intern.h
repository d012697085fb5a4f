// Interned strings, stacks and code locations: equal ones have equal references.
//
// They go to the trace that is open; nothing here opens one. Without a trace the result is
// TRACE_NONE. Between recorder_enter and recorder_leave; thread-safe, not for signal handlers.
#ifndef UNCLOSED_RECORDER_CORE_INTERN_H
#define UNCLOSED_RECORDER_CORE_INTERN_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "recorder/core/stack.h"
#include "trace/lock.h"
#include "trace/trace_format.h"

extern struct lock intern_lock; // taken around fork by life/process.c

// Changes whenever a stack of before may stand for another one now: who keeps something by its
// frames looks again.
extern atomic_uint intern_epoch;

// The reference of a text; TRACE_NONE if text is NULL or lost. Of a long one the first
// TRACE_STRING_MOST bytes are kept; it may be the program's, of any length.
uint32_t name_intern(const char *text);
uint32_t name_intern_bytes(const char *text, size_t bytes);

// The references of a stack, first seen at now_ns, and of a code location of a language runtime.
uint32_t stack_intern(const struct stack *stack, uint64_t now_ns);
uint32_t location_intern(uint32_t file, uint32_t function, uint32_t line,
                         enum trace_language language);

// Drops all tables: the trace they point into is not this process's any more, or complete.
// give_back: as in TABLE_RESET (table.h); false unless no other thread is in the recorder.
void intern_reset(bool give_back);

// Another module was mapped at [start, end): a stack with these addresses, seen again, is a new
// one. Result: whether any stack had such a frame.
bool intern_forget_range(uint64_t start, uint64_t end);

#endif
