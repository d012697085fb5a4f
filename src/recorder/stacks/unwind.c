// Native stacks, by libunwind. Knows nothing of sessions.
//
// libunwind exports `backtrace` and all of _Unwind_*: as a dependency of a preloaded library it
// would put them in front of libgcc's. So it is opened RTLD_LOCAL, and called through pointers.
//
// Two of its habits would do harm in a program that is not ours, and are undone here (libunwind
// 1.6.2, src/x86_64/Ginit.c): it opens a pipe to test whether an address can be read, and keeps the
// two descriptor numbers. A program that closes all descriptors and opens its own would find a byte
// read from or written to them. The pipe is closed again, and access_mem is replaced by one that
// asks the kernel without a descriptor.
#include "recorder/stacks/unwind.h"

#define UNW_LOCAL_ONLY
#include <libunwind.h>

#include <dlfcn.h>
#include <execinfo.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "recorder/core/arch.h"
#include "recorder/core/confined.h"
#include "recorder/core/loader.h"
#include "recorder/core/peek.h"

#define QUOTE_(name) #name
#define QUOTE(name) QUOTE_(name)

#ifdef ARCH_CONTEXT_INLINE
#define take_context(context) unw_getcontext(context)
#else
#define take_context(context) lib.getcontext(context)
#endif

static struct {
    int (*getcontext)(unw_context_t *);
    int (*init_local)(unw_cursor_t *, unw_context_t *);
    int (*step)(unw_cursor_t *);
    int (*get_reg)(unw_cursor_t *, unw_regnum_t, unw_word_t *);
    int (*get_save_loc)(unw_cursor_t *, int, unw_save_loc_t *);
    unw_accessors_t *(*get_accessors)(unw_addr_space_t);
    void (*flush_cache)(unw_addr_space_t, unw_word_t, unw_word_t);
    unw_addr_space_t *local;
} lib;
unwind_way unwind_backtrace;
static bool given_up;
static unwind_way fast; // libunwind's; NULL: not there

// The fast way begins with a table of 256 kB for the thread, which takes longer than a dozen stacks
// the other way. A thread that lives for one request never needs it, nor does one of which the
// stacks are soon recognized.
enum { SLOW_UNWINDS = 16 };

enum { OWN_FRAMES = 20 }; // before the first of the program's, at most
static __thread uint32_t unwinds __attribute__((tls_model("initial-exec")));

enum { CHECKED_PAGES = 8 };
static __thread struct {
    uint64_t page[CHECKED_PAGES];
    uint64_t frame; // of the one who asks: what is between it and the present one is our own stack
    uint32_t next;
} checked __attribute__((tls_model("initial-exec")));

static bool page_is_readable(uint64_t page)
{
    if (page == 0)
        return false; // `checked` begins full of it
    for (int i = 0; i < CHECKED_PAGES; i++)
        if (checked.page[i] == page)
            return true;
    if (!peek_page(page))
        return false;
    checked.page[checked.next++ % CHECKED_PAGES] = page;
    return true;
}

// Whether a word lies on our own part of the stack, which grows down to `bottom`.
static bool is_own(uint64_t address, uint64_t bottom)
{
    return address >= bottom && address + sizeof(unw_word_t) <= checked.frame;
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
    if (is_own(address, (uint64_t)(uintptr_t)__builtin_frame_address(
                            0))) { // libunwind's copy of the registers: read and set each time
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
    unw_context_t context;
    unw_cursor_t cursor;
    (void)take_context(&context);
    (void)lib.init_local(&cursor, &context);
    if (known && is_libunwind_pipe(fd)) {
        (void)syscall(SYS_close, fd[0]);
        (void)syscall(SYS_close, fd[1]);
    }
    lib.get_accessors(*lib.local)->access_mem = access_mem;
}

static int step_by_step(void **frames, int depth)
{
    unw_context_t context;
    unw_cursor_t cursor;
    unw_word_t address;
    int count = 0;
    if (take_context(&context) < 0 || lib.init_local(&cursor, &context) < 0)
        return 0;
    while (count < depth && lib.step(&cursor) > 0 &&
           lib.get_reg(&cursor, UNW_REG_IP, &address) == 0 && address != 0)
        frames[count++] = (void *)address; // NOLINT(performance-no-int-to-ptr)
    return count;
}

static bool load_libunwind(void)
{
    void *handle = loader_open("libunwind.so.8", RTLD_NOW | RTLD_LOCAL);
    int (*found_backtrace)(void **, int) = NULL;
    if (!handle)
        return false;
    const struct {
        void **to;
        const char *name;
    } wanted[] = {
        {(void **)&found_backtrace, "unw_backtrace"},
        {(void **)&lib.init_local, QUOTE(UNW_OBJ(init_local))},
        {(void **)&lib.step, QUOTE(UNW_OBJ(step))},
        {(void **)&lib.get_reg, QUOTE(UNW_OBJ(get_reg))},
        {(void **)&lib.get_save_loc, QUOTE(UNW_OBJ(get_save_loc))},
        {(void **)&lib.local, QUOTE(UNW_OBJ(local_addr_space))},
#ifndef ARCH_CONTEXT_INLINE
        {(void **)&lib.getcontext, QUOTE(UNW_ARCH_OBJ(getcontext))},
#endif
        {(void **)&lib.get_accessors, QUOTE(UNW_ARCH_OBJ(get_accessors))},
        {(void **)&lib.flush_cache, QUOTE(UNW_ARCH_OBJ(flush_cache))},
    };
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        *wanted[i].to = loader_symbol(handle, wanted[i].name);
        if (!*wanted[i].to) {
            lib.step = NULL;
            return false;
        }
    }
    fast = ARCH_UNWINDS_FAST ? found_backtrace : NULL;
    __atomic_store_n(&unwind_backtrace, fast ? fast : step_by_step, __ATOMIC_RELEASE);
    return true;
}

void unwind_prepare(void)
{
    if (unwind_backtrace || given_up || is_confined())
        return;
    if (load_libunwind())
        initialize_without_pipe();
    else
        __atomic_store_n(&unwind_backtrace, backtrace, __ATOMIC_RELEASE);
    (void)dlerror(); // nothing of ours is left for the program to find
}

void unwind_give_up(void)
{
    given_up = true;
    lib.step = NULL;
    __atomic_store_n(&unwind_backtrace, NULL, __ATOMIC_RELEASE);
}

void unwind_distrust(void)
{
    if (given_up)
        return;
    if (lib.flush_cache)
        lib.flush_cache(*lib.local, 0, 0);
    if (lib.step)
        __atomic_store_n(&unwind_backtrace, step_by_step, __ATOMIC_RELEASE);
    stack_memo_forget();
}

// Whether the thread can have what libunwind keeps for it: ld.so ends the process if there is no
// memory for a thread's copy of a library's variables. They come from the program's malloc.
static bool has_room(void)
{
    enum { AMPLE = 16384 };
    void *volatile room = malloc(AMPLE); // or the compiler knows better
    free(room);
    return room != NULL;
}

unwind_way unwind_begin(void)
{
    unwind_way way = __atomic_load_n(&unwind_backtrace, __ATOMIC_ACQUIRE);
    if (is_confined()) // the kernel cannot be asked whether an address can be read
        return NULL;
    checked.frame = ARCH_STACK_TOP();
    for (int i = 0; i < CHECKED_PAGES; i++)
        checked.page[i] = 0;
    if (!way || way != fast || unwinds > SLOW_UNWINDS)
        return way;
    if (unwinds < SLOW_UNWINDS || has_room())
        unwinds++;
    return unwinds > SLOW_UNWINDS ? way : step_by_step;
}

struct walk {
    unw_context_t context;
    unw_cursor_t cursor;
    const uint64_t *from; // where to begin: a return slot
    int skipped;          // frames before that: ours, perhaps on a stack of our own
};

// Where the return address lay that the cursor has just followed; NULL: in no memory.
static const uint64_t *return_slot(unw_cursor_t *cursor)
{
#ifdef ARCH_LINK_REGISTER
    unw_save_loc_t saved;
    if (lib.get_save_loc(cursor, ARCH_LINK_REGISTER, &saved) != 0 || saved.type != UNW_SLT_MEMORY)
        return NULL;
    return (const uint64_t *)saved.u.addr; // NOLINT(performance-no-int-to-ptr)
#else
    unw_word_t above;
    if (lib.get_reg(cursor, UNW_REG_SP, &above) != 0)
        return NULL;
    return (const uint64_t *)above - 1; // NOLINT(performance-no-int-to-ptr)
#endif
}

static bool walk_step(void *data, struct stack_step *step)
{
    struct walk *walk = data;
    unw_word_t address;
    unw_save_loc_t saved;
    do {
        if (lib.step(&walk->cursor) <= 0 || lib.get_reg(&walk->cursor, UNW_REG_IP, &address) != 0 ||
            lib.get_save_loc(&walk->cursor, ARCH_FRAME_REGISTER, &saved) != 0)
            return false;
        step->address = address;
        step->slot = return_slot(&walk->cursor);
        if (!step->slot)
            return false;
    } while (walk->from && step->slot != walk->from && walk->skipped++ < OWN_FRAMES);
    if (walk->from && step->slot != walk->from)
        return false;
    walk->from = NULL;
    bool in_memory = saved.type == UNW_SLT_MEMORY &&
                     !is_own(saved.u.addr, (uint64_t)(uintptr_t)__builtin_frame_address(0));
    step->frame_slot = in_memory ? (const uint64_t *)saved.u.addr : NULL; // NOLINT
    return true;
}

void unwind_remember(const struct stack_origin *origin, void *const *frames, uint32_t count,
                     bool cut)
{
    struct walk walk = {.from = origin->return_slot};
    if (!lib.step || take_context(&walk.context) < 0 ||
        lib.init_local(&walk.cursor, &walk.context) < 0)
        return;
    stack_memo_keep(origin, frames, count, cut, walk_step, &walk);
}
