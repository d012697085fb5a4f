// Calls of the dynamic linker: see loader.h. Knows which lock each of them takes.
#include "recorder/core/loader.h"

#include "recorder/core/lock_order.h"

void *loader_open(const char *file, int mode)
{
    lock_order_take(LOCK_LOADER, LOCK_HERE);
    void *handle = dlopen(file, mode);
    lock_order_give(LOCK_LOADER);
    return handle;
}

void loader_close(void *handle)
{
    lock_order_take(LOCK_LOADER, LOCK_HERE);
    (void)dlclose(handle);
    lock_order_give(LOCK_LOADER);
}

void *loader_symbol(void *handle, const char *name)
{
    lock_order_take(LOCK_LOADER, LOCK_HERE);
    void *found = dlsym(handle, name);
    lock_order_give(LOCK_LOADER);
    return found;
}

int loader_address(const void *address, Dl_info *info)
{
    lock_order_take(LOCK_LOADER, LOCK_HERE);
    int found = dladdr(address, info);
    lock_order_give(LOCK_LOADER);
    return found;
}

int loader_address_extra(const void *address, Dl_info *info, void **extra, int flags)
{
    lock_order_take(LOCK_LOADER, LOCK_HERE);
    int found = dladdr1(address, info, extra, flags);
    lock_order_give(LOCK_LOADER);
    return found;
}

int loader_each(int (*visit)(struct dl_phdr_info *info, size_t size, void *data), void *data)
{
    lock_order_take(LOCK_MODULE_LIST, LOCK_HERE);
    int result = dl_iterate_phdr(visit, data);
    lock_order_give(LOCK_MODULE_LIST);
    return result;
}
