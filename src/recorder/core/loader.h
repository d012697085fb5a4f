// The calls of the dynamic linker that take its locks: the recorder makes them here only.
//
// With no lock of ours held, see lock_order.h. As the functions behind them, these are neither
// async-signal-safe nor cancellation points; what they leave for dlerror() the caller takes away.
#ifndef UNCLOSED_RECORDER_CORE_LOADER_H
#define UNCLOSED_RECORDER_CORE_LOADER_H

#include <dlfcn.h>
#include <link.h>
#include <stdbool.h>
#include <stddef.h>

void *loader_open(const char *file, int mode);          // dlopen
void loader_close(void *handle);                        // dlclose
void *loader_symbol(void *handle, const char *name);    // dlsym; RTLD_NEXT: behind the recorder
int loader_address(const void *address, Dl_info *info); // dladdr

// dladdr1: `extra` is a const ElfW(Sym) * or a struct link_map *, as `flags` says.
int loader_address_extra(const void *address, Dl_info *info, void **extra, int flags);

// dl_iterate_phdr. `visit` runs with the loader's list of modules locked: no module goes away, and
// it must not call anything here but this. In a child that would wait for ever (list_lock.h),
// nothing is visited.
int loader_each(int (*visit)(struct dl_phdr_info *info, size_t size, void *data), void *data);

// At the start: learns what is needed around a fork.
void loader_begin(void);

// Around a fork, by the same thread, which is not inside the recorder: no other thread of ours is
// loading or unloading, and none, of the program's either, at the list of modules, as far as that
// can be had without a deadlock.
void loader_prepare_fork(void);
void loader_after_fork(bool in_child);

// In a child of a fork that was not prepared, instead.
void loader_forked_unprepared(void);

#endif
