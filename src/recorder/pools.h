// Pools: how many checkouts are out, the high-water mark, waits; the part that session.h does not
// declare.
#ifndef UNCLOSED_POOLS_H
#define UNCLOSED_POOLS_H

#include <pthread.h>
#include <stdint.h>

#include "recorder/sites.h"

extern pthread_mutex_t pools_lock; // taken around fork by process.c

// A session of `site` went out of `pool`, or came back. pool TRACE_NONE: only the site counts.
void pool_count_out(uint32_t pool, struct trace_site *site, uint64_t now_ns);
void pool_count_back(uint32_t pool, struct trace_site *site, uint64_t now_ns);

// An acquire from `pool` succeeded or failed after this many nanoseconds.
void pool_count_acquire(uint32_t pool, bool succeeded, bool timed_out, uint64_t took_ns);

void pools_reset(void); // after a fork

// Take and give back the lock of every pool, around fork.
void pools_lock_all(void);
void pools_unlock_all(void);

#endif
