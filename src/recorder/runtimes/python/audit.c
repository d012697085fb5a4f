// Adding the audit hook, and the one trap in it.
//
// CPython allocates the entry of a hook with its raw allocator. A hook that is added before
// Py_Initialize is allocated by the default one; with -X dev, PYTHONMALLOC=debug and the like
// Py_Initialize then puts another one in its place, which aborts the program when it is to free
// what it has not allocated (seen in 3.8 to 3.13). So the entry is taken out before that.
#include "recorder/runtimes/python/audit.h"

#include <dlfcn.h>
#include <link.h>
#include <string.h>

#include "recorder/core/loader.h"
#include "recorder/core/peek.h"

enum { DOMAIN_RAW = 0 };

struct allocator { // PyMemAllocatorEx
    void *context;
    void *functions[4];
};

struct entry { // _Py_AuditHookEntry, the same in 3.8 to 3.13
    struct entry *next;
    python_audit_hook hook;
    void *data;
};

static struct allocator allocated_by;

static void ask_allocator(struct allocator *allocator)
{
    memset(allocator, 0, sizeof *allocator);
    if (py.PyMem_GetAllocator)
        py.PyMem_GetAllocator(DOMAIN_RAW, allocator);
}

bool python_audit_add(python_audit_hook hook)
{
    ask_allocator(&allocated_by);
    return py.PySys_AddAuditHook(hook, NULL) == 0;
}

static bool is_entry_of(uint64_t address, python_audit_hook hook)
{
    uint64_t found, data;
    return address != 0 && address % sizeof(void *) == 0 &&
           peek_word(address + offsetof(struct entry, hook), UINT64_MAX, &found) &&
           found == (uint64_t)(uintptr_t)hook &&
           peek_word(address + offsetof(struct entry, data), UINT64_MAX, &data) && data == 0;
}

// The head of the list is somewhere in _PyRuntime: the one word that points to our entry.
void python_audit_end(python_audit_hook hook)
{
    struct allocator now;
    Dl_info info;
    const ElfW(Sym) *symbol = NULL;
    ask_allocator(&now);
    if (memcmp(&now, &allocated_by, sizeof now) == 0 || !py._PyRuntime ||
        loader_address_extra(py._PyRuntime, &info, (void **)&symbol, RTLD_DL_SYMENT) == 0 ||
        !symbol || info.dli_saddr != (void *)py._PyRuntime)
        return;
    struct entry **word = (struct entry **)py._PyRuntime;
    struct entry **end = word + symbol->st_size / sizeof *word;
    while (word < end && !is_entry_of((uint64_t)(uintptr_t)*word, hook))
        word++;
    if (word < end)
        *word = (*word)->next; // not freed: the interpreter is still reading it
}
