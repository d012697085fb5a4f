// Sites: one stack that acquires from one pool through one function, with its counters.
#ifndef UNCLOSED_RECORDER_BOOKS_SITES_H
#define UNCLOSED_RECORDER_BOOKS_SITES_H

#include <stdbool.h>
#include <stdint.h>

#include "recorder/books/session.h"
#include "trace/lock.h"

extern struct lock sites_lock; // taken around fork by process.c

struct site {
    struct trace_site *record;
    uint32_t ref;
};

// The site of an acquire, made on first sight; record NULL if lost. Asks the loader when it has to
// be looked up: not to be called with a lock held.
struct site site_intern(const struct acquire *acquire, uint64_t now_ns);

// The same for one that another process saw, while the trace is being opened.
struct site site_import(const struct acquire *acquire, uint64_t seen_ns);

// The record of a site reference, NULL for TRACE_NONE.
struct trace_site *site_record(uint32_t site);

// The bucket of struct trace_site's hold times.
unsigned site_hold_bucket(uint64_t held_ns);

// As intern_reset, and after it: that makes each thread forget the sites it remembers.
void sites_reset(bool give_back);

#endif
