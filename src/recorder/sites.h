// Sites: one stack that acquires from one pool through one function, with its counters.
#ifndef UNCLOSED_SITES_H
#define UNCLOSED_SITES_H

#include <pthread.h>
#include <stdint.h>

#include "recorder/session.h"

extern pthread_mutex_t sites_lock; // taken around fork by process.c

struct site {
    struct trace_site *record;
    uint32_t ref;
};

// The site of an acquire, made on first sight; record NULL if lost.
struct site site_intern(const struct acquire *acquire, uint64_t now_ns);

// The record of a site reference, NULL for TRACE_NONE.
struct trace_site *site_record(uint32_t site);

// Counts a session that ended after `held_ns`.
void site_count_end(struct trace_site *site, enum trace_end end, uint64_t held_ns, uint32_t thread);

void sites_forget_cache(void);  // this thread's
void sites_forget_caches(void); // every thread's, at its next look
void sites_reset(void);         // after a fork

#endif
