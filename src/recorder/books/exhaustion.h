// Pool exhaustion: who holds a pool at the moment when an acquire fails or has waited long.
#ifndef UNCLOSED_RECORDER_BOOKS_EXHAUSTION_H
#define UNCLOSED_RECORDER_BOOKS_EXHAUSTION_H

#include <stdbool.h>
#include <stdint.h>

#include "recorder/books/session.h"

// Writes down who holds the pool of `acquire`, which took `waited_ns`. Their number is bounded: the
// first ones of a pool are kept, and then fewer and fewer. Costs nothing when nothing waits.
void exhaustion_note(const struct acquire *acquire, uint64_t waited_ns, bool failed,
                     uint64_t now_ns);

#endif
