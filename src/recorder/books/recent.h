// Sessions that ended not long ago: to tell a double release from that of a handle never seen.
//
// A small table without a lock, in which a later one takes the place of an earlier: the answer may
// be missing, and torn by another thread it is taken for missing.
#ifndef UNCLOSED_RECORDER_BOOKS_RECENT_H
#define UNCLOSED_RECORDER_BOOKS_RECENT_H

#include <stdbool.h>
#include <stdint.h>

// A session of (kind, handle) has ended; site and database are what is told of it.
void recent_note(uint32_t kind, uint64_t handle, uint32_t site, uint32_t database);

// Whether a session of this handle ended not long ago (nothing was acquired under the handle
// since).
bool session_recently_ended(uint32_t kind, uint64_t handle, uint32_t *site, uint32_t *database);

void recent_forget(void); // all

#endif
