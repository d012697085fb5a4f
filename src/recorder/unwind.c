// Native stacks, by libunwind. Knows nothing of sessions.
//
// libunwind exports `backtrace` and all of _Unwind_*: as a dependency of a preloaded library it
// would put them in front of libgcc's. So it is opened RTLD_LOCAL, and called through pointers.
//
// Two of its habits would do harm in a program that is not ours, and are undone here (libunwind
// 1.6.2, src/x86_64/Ginit.c): it opens a pipe to test whether an address can be read, and keeps the
// two descriptor numbers. A program that closes all descriptors and opens its own would find a byte
// read from or written to them. The pipe is closed again, and access_mem is replaced by one that
// asks the kernel with process_vm_readv.
#include "recorder/unwind.h"

#include "recorder/hook.h"

#define UNW_LOCAL_ONLY
#include <libunwind.h>

#include <dlfcn.h>
#include <errno.h>
#include <execinfo.h>
#include <fcntl.h>
#include <link.h>
#include <stddef.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#define QUOTE_(name) #name
#define QUOTE(name) QUOTE_(name)

static struct {
    int (*backtrace)(void **, int);
    int (*getcontext)(unw_context_t *);
    int (*init_local)(unw_cursor_t *, unw_context_t *);
    int (*step)(unw_cursor_t *);
    int (*get_reg)(unw_cursor_t *, unw_regnum_t, unw_word_t *);
    unw_accessors_t *(*get_accessors)(unw_addr_space_t);
    void (*flush_cache)(unw_addr_space_t, unw_word_t, unw_word_t);
    unw_addr_space_t *local;
} lib;
static bool prepared, distrusted;

// The recorder's own mapping, found from the address of one of its functions.
static uint64_t own_start, own_end;

enum { CHECKED_PAGES = 8 };
static __thread struct {
    uint64_t page[CHECKED_PAGES];
    uint64_t frame; // of unwind_capture: what is between it and the present one is our own stack
    uint32_t next;
} checked __attribute__((tls_model("initial-exec")));

static bool page_is_readable(uint64_t page)
{
    if (page == 0)
        return false; // `checked` begins full of it
    for (int i = 0; i < CHECKED_PAGES; i++)
        if (checked.page[i] == page)
            return true;
    char byte;
    struct iovec to = {&byte, 1};
    struct iovec from = {(void *)page, 1}; // NOLINT(performance-no-int-to-ptr)
    if (syscall(SYS_process_vm_readv, (long)getpid(), &to, 1L, &from, 1L, 0L) != 1)
        return false;
    checked.page[checked.next++ % CHECKED_PAGES] = page;
    return true;
}

static int access_mem(unw_addr_space_t space, unw_word_t address, unw_word_t *value, int write,
                      void *data)
{
    (void)space;
    (void)data;
    enum { PAGE = 4096 };
    uint64_t first = address & ~(uint64_t)(PAGE - 1);
    uint64_t last = (address + sizeof *value - 1) & ~(uint64_t)(PAGE - 1);
    unw_word_t *word = (unw_word_t *)address; // NOLINT(performance-no-int-to-ptr)
    bool own = address >= (uint64_t)(uintptr_t)__builtin_frame_address(0) &&
               address + sizeof *word <= checked.frame;
    if (own) { // libunwind's copy of the registers: read and set each time
        if (write)
            *word = *value;
        else
            *value = *word;
        return 0;
    }
    if (write || !page_is_readable(first) || (last != first && !page_is_readable(last)))
        return -UNW_EINVAL;
    *value = *word;
    return 0;
}

static bool is_libunwind_pipe(const int fd[2])
{
    struct stat a, b;
    return fstat(fd[0], &a) == 0 && fstat(fd[1], &b) == 0 && S_ISFIFO(a.st_mode) &&
           S_ISFIFO(b.st_mode) && a.st_ino == b.st_ino && a.st_dev == b.st_dev &&
           (fcntl(fd[0], F_GETFL) & O_NONBLOCK) && (fcntl(fd[1], F_GETFL) & O_NONBLOCK) &&
           (fcntl(fd[0], F_GETFD) & FD_CLOEXEC);
}

// Makes libunwind initialize itself, and closes the pipe that it opens in doing so. It gets the two
// lowest free descriptors, which we learn by opening a pipe first.
static void initialize_without_pipe(void)
{
    int fd[2];
    bool known = pipe2(fd, O_CLOEXEC) == 0;
    if (known) {
        (void)syscall(SYS_close, fd[0]);
        (void)syscall(SYS_close, fd[1]);
    }
    void *frame;
    (void)lib.backtrace(&frame, 1);
    if (known && is_libunwind_pipe(fd)) {
        (void)syscall(SYS_close, fd[0]);
        (void)syscall(SYS_close, fd[1]);
    }
    lib.get_accessors(*lib.local)->access_mem = access_mem;
}

static bool load_libunwind(void)
{
    void *handle = dlopen("libunwind.so.8", RTLD_NOW | RTLD_LOCAL);
    if (!handle)
        return false;
    const struct {
        void **to;
        const char *name;
    } wanted[] = {
        {(void **)&lib.backtrace, "unw_backtrace"},
        {(void **)&lib.init_local, QUOTE(UNW_OBJ(init_local))},
        {(void **)&lib.step, QUOTE(UNW_OBJ(step))},
        {(void **)&lib.get_reg, QUOTE(UNW_OBJ(get_reg))},
        {(void **)&lib.local, QUOTE(UNW_OBJ(local_addr_space))},
        {(void **)&lib.getcontext, QUOTE(UNW_ARCH_OBJ(getcontext))},
        {(void **)&lib.get_accessors, QUOTE(UNW_ARCH_OBJ(get_accessors))},
        {(void **)&lib.flush_cache, QUOTE(UNW_ARCH_OBJ(flush_cache))},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        *wanted[i].to = dlsym(handle, wanted[i].name);
        if (!*wanted[i].to) {
            lib.backtrace = NULL;
            return false;
        }
    }
    return true;
}

static int find_own(struct dl_phdr_info *info, size_t size, void *data)
{
    (void)size;
    uint64_t address = (uint64_t)(uintptr_t)data;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *segment = &info->dlpi_phdr[i];
        uint64_t start = info->dlpi_addr + segment->p_vaddr;
        if (segment->p_type != PT_LOAD || !(segment->p_flags & PF_X) || address < start ||
            address >= start + segment->p_memsz)
            continue;
        own_start = start;
        own_end = start + segment->p_memsz;
        return 1;
    }
    return 0;
}

void unwind_find_own(void)
{
    (void)dl_iterate_phdr(find_own, (void *)(uintptr_t)unwind_prepare);
}

void unwind_prepare(void)
{
    if (prepared)
        return;
    if (load_libunwind())
        initialize_without_pipe();
    else
        lib.backtrace = backtrace;
    (void)dlerror(); // nothing of ours is left for the program to find
    __atomic_store_n(&prepared, true, __ATOMIC_RELEASE);
}

void unwind_distrust(void)
{
    if (lib.flush_cache)
        lib.flush_cache(*lib.local, 0, 0);
    __atomic_store_n(&distrusted, true, __ATOMIC_RELEASE);
}

static int step_by_step(void **frames, int depth)
{
    unw_context_t context;
    unw_cursor_t cursor;
    unw_word_t address;
    int count = 0;
    if (lib.getcontext(&context) < 0 || lib.init_local(&cursor, &context) < 0)
        return 0;
    while (count < depth && lib.step(&cursor) > 0 &&
           lib.get_reg(&cursor, UNW_REG_IP, &address) == 0 && address != 0)
        frames[count++] = (void *)address; // NOLINT(performance-no-int-to-ptr)
    return count;
}

bool unwind_is_own(uint64_t address)
{
    return address >= own_start && address < own_end;
}

void unwind_capture(struct stack *stack, uint32_t depth, uint32_t *wrapped)
{
    enum { OWN_FRAMES = 12 }; // of ours at the innermost end
    void *frames[STACK_FRAMES + OWN_FRAMES];
    *wrapped = 0;
    if (!__atomic_load_n(&prepared, __ATOMIC_ACQUIRE))
        return;
    checked.frame = (uint64_t)(uintptr_t)__builtin_frame_address(0);
    for (int i = 0; i < CHECKED_PAGES; i++)
        checked.page[i] = 0;
    int most = (int)depth + OWN_FRAMES;
    int count = distrusted ? step_by_step(frames, most) : lib.backtrace(frames, most);
    uint32_t end = stack->count + depth < STACK_FRAMES ? stack->count + depth : STACK_FRAMES;
    int i = 0;
    for (; i < count && stack->count < end; i++) {
        uint64_t address = (uint64_t)(uintptr_t)frames[i];
        if (!unwind_is_own(address))
            stack->frames[stack->count++] = address;
        else if (frames[i] == wrapper_returned)
            ++*wrapped;
    }
    stack->cut = i < count || count == most;
}
