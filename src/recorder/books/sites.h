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

// The site of an acquire, made on first sight; record NULL if lost.
struct site site_intern(const struct acquire *acquire, uint64_t now_ns);

// The record of a site reference, NULL for TRACE_NONE.
struct trace_site *site_record(uint32_t site);

// The bucket of struct trace_site's hold times.
unsigned site_hold_bucket(uint64_t held_ns);

void sites_forget_cache(void);  // this thread's
void sites_forget_caches(void); // every thread's, at its next look

// As intern_reset.
void sites_reset(bool give_back);

#endif
