// Calls of the dynamic linker: see loader.h. Knows which lock each of them takes.
#include "recorder/core/loader.h"

#include "recorder/core/fork_gate.h"
#include "recorder/core/list_lock.h"
#include "recorder/core/lock_order.h"

// What a fork must not find half done: a module that is being loaded or unloaded. The child's next
// dlopen would end it (elf/dl-open.c: assert r_state == RT_CONSISTENT). Not what only asks:
// glibc makes that lock anew in the child.
static struct fork_gate changing = FORK_GATE;

void *loader_open(const char *file, int mode)
{
    fork_gate_enter(&changing);
    lock_order_take(LOCK_LOADER, LOCK_HERE);
    void *handle = dlopen(file, mode);
    lock_order_give(LOCK_LOADER);
    fork_gate_leave(&changing);
    return handle;
}

void loader_close(void *handle)
{
    fork_gate_enter(&changing);
    lock_order_take(LOCK_LOADER, LOCK_HERE);
    (void)dlclose(handle);
    lock_order_give(LOCK_LOADER);
    fork_gate_leave(&changing);
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
    if (list_lock_is_lost())
        return 0;
    lock_order_take(LOCK_MODULE_LIST, LOCK_HERE);
    int result = dl_iterate_phdr(visit, data);
    lock_order_give(LOCK_MODULE_LIST);
    return result;
}

void loader_begin(void)
{
    Dl_info info;
    const ElfW(Sym) *symbol = NULL;
    void *global = loader_symbol(RTLD_DEFAULT, "_rtld_global");
    if (global && loader_address_extra(global, &info, (void **)&symbol, RTLD_DL_SYMENT) != 0 &&
        symbol)
        list_lock_find(global, symbol->st_size, loader_each);
    (void)dlerror(); // nothing of ours is left for the program to find
}

static __thread bool list_is_ours; // of this thread, because several may be forking

void loader_prepare_fork(void)
{
    (void)fork_gate_shut(&changing);
    list_is_ours = list_lock_take();
}

void loader_after_fork(bool in_child)
{
    if (list_is_ours && in_child)
        list_lock_forked();
    else if (list_is_ours)
        list_lock_give();
    else if (in_child)
        list_lock_look();
    list_is_ours = false;
    fork_gate_open(&changing);
    if (in_child)
        (void)fork_gate_forked(&changing);
}

void loader_forked_unprepared(void)
{
    list_is_ours = false;
    list_lock_look();
    (void)fork_gate_forked(&changing);
}
