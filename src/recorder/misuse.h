// Upkeep of the misuses declared in session.h.
#ifndef UNCLOSED_MISUSE_H
#define UNCLOSED_MISUSE_H

#include "trace/lock.h"

extern struct lock misuse_lock; // taken around fork by process.c
void misuse_reset(void);        // after a fork

#endif
