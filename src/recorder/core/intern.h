// Upkeep of the interned strings, stacks and locations declared in session.h: forgetting them.
#ifndef UNCLOSED_RECORDER_CORE_INTERN_H
#define UNCLOSED_RECORDER_CORE_INTERN_H

#include <stdbool.h>
#include <stdint.h>

#include "trace/lock.h"

extern struct lock intern_lock; // taken around fork by process.c

// Drops all tables: the trace they point into is not this process's any more, or complete.
// give_back: as in TABLE_RESET (table.h); false unless no other thread is in the recorder.
void intern_reset(bool give_back);

// Another module was mapped at [start, end): a stack with these addresses, seen again, is a new
// one. Result: whether any stack had such a frame.
bool intern_forget_range(uint64_t start, uint64_t end);

#endif
