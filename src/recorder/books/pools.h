// Pools: how many checkouts are out, the high-water mark, waits; the part that session.h does not
// declare.
#ifndef UNCLOSED_RECORDER_BOOKS_POOLS_H
#define UNCLOSED_RECORDER_BOOKS_POOLS_H

#include <stdbool.h>
#include <stdint.h>

#include "recorder/books/sites.h"
#include "trace/lock.h"

extern struct lock pools_lock; // taken around fork by process.c

// A session of `site` went out of `pool` (TRACE_NONE: of none), after an acquire of `took_ns`.
void pool_count_out(uint32_t pool, struct site site, uint64_t took_ns, uint64_t now_ns);

// A session of `site` was found out of `pool`, acquired before the recorder came.
void pool_count_found(uint32_t pool, struct site site, uint64_t now_ns);

// A connection that belongs to `pool` was made for it, in `took_ns`.
void pool_count_created(uint32_t pool, uint64_t took_ns);

// It came back after `held_ns`; `thread` (string reference) had acquired it.
void pool_count_back(uint32_t pool, struct trace_site *site, uint64_t held_ns, uint32_t thread,
                     uint64_t now_ns);

// What came back after `held_ns` was no session: that time counts for nothing.
void pool_count_unheld(uint32_t pool, struct trace_site *site, uint64_t held_ns);

// It did not come back after all: the release was refused.
void pool_count_kept(uint32_t pool, struct trace_site *site, uint64_t held_ns);

// An acquire from `pool` failed after this many nanoseconds.
void pool_count_failed(uint32_t pool, bool timed_out, uint64_t took_ns, uint64_t now_ns);

// Whether an exhaustion of this pool should be written down: not more often than is useful, and
// after an acquire that was slow but succeeded only if the pool was full. Where its size is not
// known, only if it was slower than opening a connection should be.
bool pool_wants_exhaustion(uint32_t pool, bool failed, uint64_t waited_ns, uint64_t now_ns);

// As intern_reset.
void pools_reset(bool give_back);

// Take and give back the lock of every pool, around fork.
void pools_lock_all(void);
void pools_unlock_all(void);

#endif
