// Upkeep of the misuses declared in session.h.
#ifndef UNCLOSED_RECORDER_BOOKS_MISUSE_H
#define UNCLOSED_RECORDER_BOOKS_MISUSE_H

#include <stdbool.h>

#include "trace/lock.h"

extern struct lock misuse_lock; // taken around fork by process.c

// As intern_reset.
void misuse_reset(bool give_back);

#endif
