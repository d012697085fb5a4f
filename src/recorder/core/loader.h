// The calls of the dynamic linker that take its locks: the recorder makes them here only.
//
// With no lock of ours held, see lock_order.h. As the functions behind them, these are neither
// async-signal-safe nor cancellation points; what they leave for dlerror() the caller takes away.
#ifndef UNCLOSED_RECORDER_CORE_LOADER_H
#define UNCLOSED_RECORDER_CORE_LOADER_H

#include <dlfcn.h>
#include <link.h>
#include <stddef.h>

void *loader_open(const char *file, int mode);          // dlopen
void loader_close(void *handle);                        // dlclose
void *loader_symbol(void *handle, const char *name);    // dlsym; RTLD_NEXT: behind the recorder
int loader_address(const void *address, Dl_info *info); // dladdr

// dladdr1: `extra` is a const ElfW(Sym) * or a struct link_map *, as `flags` says.
int loader_address_extra(const void *address, Dl_info *info, void **extra, int flags);

// dl_iterate_phdr. `visit` runs with the loader's list of modules locked: no module goes away, and
// it must not call anything here but this.
int loader_each(int (*visit)(struct dl_phdr_info *info, size_t size, void *data), void *data);

#endif
