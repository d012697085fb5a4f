// A library that stands in front of another one, counts some of its functions and calls on.
//
// Knows nothing of unclosed: it is what the traced counts are compared with where BPF is not to be
// had. Built once for each group of count_calls.py, with -DCOUNT_GROUP, under the name of the
// library it stands for; it needs GROUP-real.so, a link to the real one in the same folder, whose
// other functions the program then finds as if nothing were in between.
//
// Counts go to $COUNT_FOLDER/GROUP.counts, a slot for each process: see ShimCounter there.
#include <dlfcn.h>
#include <elf.h>
#include <fcntl.h>
#include <link.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define TEXT_OF(name) #name
#define TEXT(name) TEXT_OF(name)

enum { SLOTS = 4096, FUNCTIONS = 15 };
static struct slot {
    atomic_ulong pid;
    atomic_ulong count[FUNCTIONS];
} * slots;

// Stack pointer of the outermost call of this thread that is under way; see PROBE in
// count_calls.py.
static __thread uintptr_t outermost __attribute__((tls_model("initial-exec")));

__attribute__((constructor)) static void open_counts(void)
{
    const char *folder = getenv("COUNT_FOLDER");
    char path[4096];
    if (folder == NULL)
        return;
    snprintf(path, sizeof path, "%s/" TEXT(COUNT_GROUP) ".counts", folder);
    int file = open(path, O_RDWR | O_CLOEXEC);
    void *map = file < 0 ? MAP_FAILED
                         : mmap(NULL, sizeof(struct slot) * SLOTS, PROT_READ | PROT_WRITE,
                                MAP_SHARED, file, 0);
    if (map == MAP_FAILED) {
        perror(path);
        abort(); // a count that is missing must not look like a zero
    }
    close(file);
    slots = map;
}

static void add_one(int function)
{
    unsigned long pid = (unsigned long)getpid();
    for (unsigned long i = 0; slots != NULL && i < SLOTS; i++) {
        struct slot *slot = &slots[(pid + i) % SLOTS];
        unsigned long owner = 0;
        if (atomic_load(&slot->pid) == pid ||
            atomic_compare_exchange_strong(&slot->pid, &owner, pid) || owner == pid) {
            atomic_fetch_add(&slot->count[function], 1);
            return;
        }
    }
}

// Looks `name` up in the real library's own symbol table: dlsym would be the tracer's.
static void *real_function(const char *name)
{
    struct link_map *map = NULL;
    void *handle = dlopen(TEXT(COUNT_GROUP) "-real.so", RTLD_NOW | RTLD_NOLOAD);
    if (handle == NULL || dlinfo(handle, RTLD_DI_LINKMAP, &map) != 0)
        abort();
    dlclose(handle);
    const ElfW(Sym) *symbols = NULL;
    const char *strings = NULL;
    for (const ElfW(Dyn) *entry = map->l_ld; entry->d_tag != DT_NULL; entry++) {
        if (entry->d_tag == DT_SYMTAB)
            symbols = (const ElfW(Sym) *)entry->d_un.d_ptr;
        if (entry->d_tag == DT_STRTAB)
            strings = (const char *)entry->d_un.d_ptr;
    }
    // Linkers put the string table behind the symbol table.
    for (const ElfW(Sym) *symbol = symbols; (const char *)symbol < strings; symbol++)
        if (symbol->st_shndx != SHN_UNDEF && strcmp(strings + symbol->st_name, name) == 0)
            return (void *)(map->l_addr + symbol->st_value);
    abort();
}

// true: this call is the outermost, and its end has to be reported with leave.
static int enter(uintptr_t stack)
{
    if (outermost != 0 && stack < outermost)
        return 0;
    outermost = stack;
    return 1;
}

static void leave(int function, int counts)
{
    outermost = 0;
    if (counts)
        add_one(function);
}

#define STACK ((uintptr_t)__builtin_frame_address(0))

// A function of up to four integer or pointer arguments; `condition` may use a0..a3 and result.
#define COUNTED(index, type, name, condition)                                                      \
    type name(uintptr_t a0, uintptr_t a1, uintptr_t a2, uintptr_t a3);                             \
    type name(uintptr_t a0, uintptr_t a1, uintptr_t a2, uintptr_t a3)                              \
    {                                                                                              \
        static type (*real)(uintptr_t, uintptr_t, uintptr_t, uintptr_t);                           \
        if (real == NULL)                                                                          \
            real = (type(*)(uintptr_t, uintptr_t, uintptr_t, uintptr_t))real_function(#name);      \
        int outer = enter(STACK);                                                                  \
        type result = real(a0, a1, a2, a3);                                                        \
        if (outer)                                                                                 \
            leave(index, condition);                                                               \
        return result;                                                                             \
    }

#define OUT(argument) (*(uintptr_t *)(argument) != 0)

#if defined(COUNT_SQLITE3)
COUNTED(0, int, sqlite3_open, OUT(a1))
COUNTED(1, int, sqlite3_open_v2, OUT(a1))
COUNTED(2, int, sqlite3_open16, OUT(a1))
COUNTED(3, int, sqlite3_close, a0 != 0 && result == 0)
COUNTED(4, int, sqlite3_close_v2, a0 != 0 && result == 0)
#elif defined(COUNT_APR)
COUNTED(0, int, apr_reslist_acquire, result == 0 && OUT(a1))
COUNTED(1, int, apr_reslist_release, result == 0 && a1 != 0)
COUNTED(2, int, apr_reslist_invalidate, result == 0 && a1 != 0)
#elif defined(COUNT_ZDB)
COUNTED(0, uintptr_t, ConnectionPool_getConnection, result != 0)
COUNTED(1, uintptr_t, ConnectionPool_returnConnection, a1 != 0)
COUNTED(2, uintptr_t, Connection_close, a0 != 0)
#endif
