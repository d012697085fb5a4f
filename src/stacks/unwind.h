// Native stacks from snapshots of threads that have long gone on.
//
// By libdw, from the registers and the copied stack; of the process itself only what does not
// change is read (code, unwind tables). Not thread-safe.
#ifndef UNCLOSED_STACKS_UNWIND_H
#define UNCLOSED_STACKS_UNWIND_H

#include "report/code/now.h"
#include "stacks/modules.h"
#include "stacks/snapshot.h"

struct unwinder; // opaque: the modules of one process

// Everything has to outlive it. NULL: libdw has refused.
struct unwinder *unwinder_new(struct arena *arena, const struct target *target,
                              const struct modules *modules);
void unwinder_free(struct unwinder *unwinder); // NULL is fine

// Adds the native frames of a snapshot, innermost first.
void unwinder_add(struct unwinder *unwinder, const struct snapshot *snapshot,
                  struct now_thread *thread);

#endif
