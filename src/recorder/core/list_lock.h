// The loader's lock of its list of modules, over a fork.
//
// dl_iterate_phdr takes it. glibc's fork makes the loader's other locks anew in the child, and not
// this one (sysdeps/nptl/fork.c, 2.36 to 2.41): a child of a fork that happened while another
// thread walked the list, or dlopen changed it, waits for ever at its own next walk. The recorder
// walks the list, in threads that would not and in children that would not. So it takes the lock
// around each fork. It is a member of ld.so's _rtld_global, of which the layout differs: it is
// found by being locked while dl_iterate_phdr calls back, and not afterwards. With another libc
// it is not found, and a fork is as it would be.
#ifndef UNCLOSED_RECORDER_CORE_LIST_LOCK_H
#define UNCLOSED_RECORDER_CORE_LIST_LOCK_H

#include <link.h>
#include <stdbool.h>
#include <stddef.h>

// Looks for it in `global`, which is _rtld_global. each: dl_iterate_phdr. At the start, once.
typedef int (*list_lock_each)(int (*visit)(struct dl_phdr_info *info, size_t size, void *data),
                              void *data);
void list_lock_find(void *global, size_t bytes, list_lock_each each);

// Before a fork: takes it, also where this thread has it already. Waits for up to 0.2 s, for the
// callback that some thread is in may wait for this very thread. false: it was not to be had, or is
// not known.
bool list_lock_take(void);

// After the fork, in the parent, if it was taken.
void list_lock_give(void);

// In the child, if it was taken.
void list_lock_forked(void);

// In any child that was not prepared for: looks whether a thread that is not here has it.
void list_lock_look(void);

// That is so: who walks the list waits for ever.
bool list_lock_is_lost(void);

#endif
