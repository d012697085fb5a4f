// A pool without locks: the only kind that may be used from a signal handler too.
#ifndef TESTS_POOL_SLOTS_H
#define TESTS_POOL_SLOTS_H

struct slots;
struct slots *slots_create(int size); // at most 64
void *slots_get(struct slots *slots); // NULL if none is free
void slots_put(struct slots *slots, void *slot);
void slots_clear(struct slots *slots, int size); // all are free again, whoever has them

// Calls back while the slot is being taken, as pools do that switch to another coroutine.
void *slots_get_with(struct slots *slots, void (*meanwhile)(void *data), void *data);

#endif
