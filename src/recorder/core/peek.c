// Reading memory of the program that may not be there: see peek.h. Knows nothing of calls.
#include "recorder/core/peek.h"

#include <errno.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "recorder/core/confined.h"

enum { PAGE = 4096 };

// By process_vm_readv; where that is refused (sandboxes), by a call that is always allowed: the
// kernel reads the signal set before it looks at the first argument, which makes no sense (EINVAL,
// else EFAULT). Not the other way round: valgrind complains of such an argument.
static bool ask_kernel(uint64_t page)
{
    static bool refused;
    char byte;
    struct iovec to = {&byte, 1};
    struct iovec from = {(void *)page, 1}; // NOLINT(performance-no-int-to-ptr)
    if (!refused) {
        if (syscall(SYS_process_vm_readv, (long)getpid(), &to, 1L, &from, 1L, 0L) == 1)
            return true;
        if (errno != EPERM && errno != ENOSYS && errno != EACCES)
            return false;
        refused = true;
    }
    return syscall(SYS_rt_sigprocmask, ~0L, page, 0L, sizeof(uint64_t)) == -1 && errno == EINVAL;
}

bool peek_page(uint64_t page)
{
    int kept = errno;
    bool readable = !is_confined() && ask_kernel(page);
    errno = kept;
    return readable;
}

// A page of this thread's stack that lies above the present frame cannot have gone since it was
// looked at: an out-parameter is mostly there.
static bool is_readable(uint64_t page, uint64_t near)
{
    static __thread uint64_t stack_page;
    enum { REACH = 1 << 20 };
    bool above = page + PAGE > near && page - near < REACH;
    if (above && (page == stack_page || is_confined()))
        return true;
    if (!peek_page(page))
        return false;
    if (above)
        stack_page = page;
    return true;
}

bool peek_word(uint64_t address, uint64_t near, uint64_t *value)
{
    uint64_t first = address & ~(uint64_t)(PAGE - 1);
    uint64_t last = (address + sizeof *value - 1) & ~(uint64_t)(PAGE - 1);
    if (!is_readable(first, near) || (last != first && !is_readable(last, near)))
        return false;
    memcpy(value, (const void *)address, sizeof *value); // NOLINT(performance-no-int-to-ptr)
    return true;
}

bool peek_text(uint64_t address, size_t most)
{
    for (size_t done = 0; done < most;) {
        uint64_t at = address + done;
        size_t part = PAGE - at % PAGE;
        if (!peek_page(at & ~(uint64_t)(PAGE - 1)))
            return false;
        part = part < most - done ? part : most - done;
        if (memchr((const void *)at, 0, part)) // NOLINT(performance-no-int-to-ptr)
            return true;
        done += part;
    }
    return false;
}
