// See safe_point.h.
#include "attach/safe_point.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "attach/process.h"

#define MS UINT64_C(1000000)

enum {
    PATIENCE_MS = 8000, // for the whole search
    STOP_MS = 100,      // for one thread to stop
    SAMPLE_US = 1000,   // a single thread runs at most that long between two looks at it
    RETRY_MS = 1,
    LATE_THREADS = 64,
    STACK_WORDS = 8192, // looked at for signal handlers and fork
};

// System calls that malloc, the dynamic linker and fork never make.
static bool is_harmless_call(long number)
{
    static const long calls[] = {
#ifdef SYS_poll
        SYS_poll,
        SYS_select,
        SYS_pause,
        SYS_epoll_wait,
        SYS_stat,
        SYS_lstat,
        SYS_unlink,
        SYS_access,
        SYS_getdents64,
#endif
        SYS_ppoll,
        SYS_pselect6,
        SYS_nanosleep,
        SYS_clock_nanosleep,
        SYS_accept,
        SYS_accept4,
        SYS_recvfrom,
        SYS_recvmsg,
        SYS_sendto,
        SYS_sendmsg,
        SYS_connect,
        SYS_wait4,
        SYS_waitid,
        SYS_write,
        SYS_pwrite64,
        SYS_writev,
        SYS_lseek,
        SYS_fdatasync,
        SYS_fsync,
        SYS_flock,
        SYS_fcntl,
        SYS_ioctl,
        SYS_getsockopt,
        SYS_setsockopt,
        SYS_epoll_pwait,
        SYS_epoll_ctl,
        SYS_rt_sigtimedwait,
        SYS_rt_sigsuspend,
        SYS_timerfd_settime,
        SYS_getpid,
        SYS_getppid,
        SYS_geteuid,
        SYS_clock_gettime,
        SYS_kill,
        SYS_semtimedop,
        SYS_semop,
        SYS_io_getevents,
    };
    for (size_t i = 0; i < sizeof calls / sizeof calls[0]; i++) {
        if (calls[i] == number)
            return true;
    }
    return false;
}

// Whether the module has code that must not be interrupted: malloc's or the dynamic linker's.
static bool is_critical(const struct target *target, const struct module *module)
{
    return module == target->libc || module == target->loader ||
           module_symbol(target, module, "malloc", NULL) != 0;
}

static bool is_outside_critical(const struct target *target, uint64_t counter)
{
    for (size_t i = 0; i < target->module_count; i++) {
        const struct module *module = &target->modules[i];
        if (counter >= module->text_low && counter < module->text_high)
            return !is_critical(target, module);
    }
    return true; // code made at run time
}

// Whether the stack holds a return address that belongs to a signal handler (which may have
// interrupted malloc) or of fork (which has decided already whether to take malloc's locks).
static bool stack_is_suspect(const struct tracee *tracee)
{
    static const char *const names[] = {"fork", "_Fork", "vfork", "posix_spawn", "daemon"};
    enum { NAMES = sizeof names / sizeof names[0] };
    static uint64_t words[STACK_WORDS + 1];
    const struct target *target = tracee->target;
    const uint64_t sp = arch_stack_pointer(&tracee->state.registers) & ~UINT64_C(7);
    uint64_t from[NAMES];
    uint64_t size[NAMES];
    for (size_t i = 0; i < NAMES; i++)
        from[i] = module_symbol(target, target->libc, names[i], &size[i]);
    size_t count = 0;
    while (count < STACK_WORDS) {
        const uint64_t address = sp + count * sizeof words[0];
        size_t bytes = 4096 - address % 4096; // the next page may be beyond the stack's end
        if (bytes > (STACK_WORDS - count) * sizeof words[0])
            bytes = (STACK_WORDS - count) * sizeof words[0];
        if (target_read(target, address, words + count, bytes) != 0)
            break;
        count += bytes / sizeof words[0];
    }
    words[count++] = arch_link_register(&tracee->state.registers);
    for (size_t w = 0; w < count; w++) {
        const uint64_t word = arch_plain_address(words[w]);
        if (word == tracee->gadgets->signal_return && arch_is_signal_frame(words + w, count - w))
            return true;
        for (size_t i = 0; i < NAMES; i++) {
            if (from[i] != 0 && word - from[i] < size[i])
                return true;
        }
    }
    return false;
}

// The thread's id as the target sees it.
static uint32_t own_tid(const struct tracee *tracee)
{
    char ids[256] = "";
    process_status(tracee->target->pid, tracee->tid, "NSpid", ids, sizeof ids);
    const char *last = strrchr(ids, '\t'); // the innermost namespace comes last
    return (uint32_t)strtoul(last != NULL ? last + 1 : ids, NULL, 10);
}

// Whether the thread holds a lock of the dynamic linker: it is outside of it, but was called by it
// (a constructor, a resolver of IFUNC symbols). A thread that believes to be the only one would not
// wake up one that waits for the lock. They are recursive mutexes in _rtld_global:
// { int lock; unsigned count; int owner; unsigned users; int kind }.
static bool holds_loader_lock(const struct tracee *tracee)
{
    enum { WORDS = 4096, LOCK_WORDS = 5, KIND_RECURSIVE = 1 };
    static uint32_t words[WORDS];
    const struct target *target = tracee->target;
    uint64_t size = 0;
    const uint64_t address = module_symbol(target, target->loader, "_rtld_global", &size);
    if (size > sizeof words)
        size = sizeof words;
    if (address == 0 || target_read(target, address, words, size) != 0)
        return true;
    const uint32_t tid = own_tid(tracee);
    for (size_t i = 0; i + LOCK_WORDS <= size / sizeof words[0]; i++) {
        if (words[i] != 0 && words[i + 1] != 0 && words[i + 2] == tid &&
            words[i + 4] == KIND_RECURSIVE)
            return true;
    }
    return false;
}

// Whether glibc skips its locks because it believes that there is one thread.
static bool is_single(const struct tracee *tracee, const struct arch_registers *registers)
{
    const struct target *target = tracee->target;
    const uint64_t flag = module_symbol(target, target->libc, "__libc_single_threaded", NULL);
    if (flag == 0)
        return arch_tcb_is_single(target, arch_thread_pointer(registers));
    uint8_t value = 1;
    return target_read(target, flag, &value, sizeof value) != 0 || value != 0;
}

// Whether a stopped only thread can be borrowed now. `event`: why it has stopped.
static bool is_safe_now(struct tracee *tracee, enum tracee_event event)
{
    struct arch_registers *registers = &tracee->state.registers;
    if (event != TRACEE_STOPPED && event != TRACEE_EXIT)
        return false;
    if (arch_read_registers(tracee->tid, registers) != 0)
        return false;
    bool safe = false;
    if (event == TRACEE_EXIT)
        safe = is_harmless_call(arch_system_call(registers)) &&
               !arch_is_blocked(registers, &tracee->state.wait);
    else if (arch_is_blocked(registers, &tracee->state.wait))
        safe = true; // neither malloc nor the dynamic linker wait for anything
    else
        safe = is_outside_critical(tracee->target, arch_program_counter(registers));
    return safe && !stack_is_suspect(tracee) && !holds_loader_lock(tracee);
}

// Lets the thread run until it is at the next exit of a system call, or for a moment.
static enum tracee_event run_to_call(struct tracee *tracee)
{
    if (tracee_continue(tracee, true) != 0)
        return TRACEE_GONE;
    return tracee_wait(tracee, process_now() + SAMPLE_US * UINT64_C(1000));
}

// Lets the thread run for a moment of varying length and looks where it is.
static enum tracee_event run_to_sample(struct tracee *tracee, uint64_t deadline)
{
    if (tracee->stopped && tracee_continue(tracee, false) != 0)
        return TRACEE_GONE;
    process_sleep((process_now() % SAMPLE_US) * UINT64_C(1000));
    tracee_interrupt(tracee);
    return tracee_wait(tracee, deadline);
}

// Lets the only thread run on until it is at a safe point. Result: 0, -EAGAIN, -ESRCH.
static int borrow_single(struct tracee *tracee, uint64_t deadline)
{
    enum { CALLS_PER_SAMPLE = 8 };
    enum tracee_event event = TRACEE_STOPPED;
    for (int turn = 1; process_now() < deadline; turn++) {
        if (is_safe_now(tracee, event)) {
            const int error = tracee_borrow(tracee);
            if (error != -EAGAIN)
                return error;
        }
        if (event == TRACEE_GONE || event == TRACEE_GROUP_STOP)
            return event == TRACEE_GONE ? -ESRCH : -EBUSY;
        if (event == TRACEE_TIMEOUT || turn % CALLS_PER_SAMPLE == 0)
            event = run_to_sample(tracee, deadline);
        else
            event = run_to_call(tracee);
    }
    return -EAGAIN;
}

// Threads that did not stop in time when asked; they still may.
static pid_t late[LATE_THREADS];

static bool was_late(pid_t tid)
{
    for (int i = 0; i < LATE_THREADS; i++) {
        if (late[i] == tid) {
            late[i] = 0;
            return true;
        }
    }
    return false;
}

static void note_late(pid_t tid)
{
    for (int i = 0; i < LATE_THREADS; i++) {
        if (late[i] == 0) {
            late[i] = tid;
            return;
        }
    }
}

// Traces and stops one thread. Result: 0 with the thread stopped, or -errno.
static int stop_thread(struct tracee *tracee, pid_t tid)
{
    tracee->tid = tid;
    tracee->stopped = tracee->interrupted = tracee->borrowed = false;
    const int error = was_late(tid) ? 0 : tracee_seize(tracee);
    if (error != 0)
        return error;
    switch (tracee_wait(tracee, process_now() + STOP_MS * MS)) {
    case TRACEE_STOPPED:
        return 0;
    case TRACEE_GROUP_STOP:
        tracee_release(tracee);
        return -EBUSY;
    case TRACEE_GONE:
        return -ESRCH;
    default:
        note_late(tid);
        return -ETIMEDOUT;
    }
}

// Tries one thread. Result: 0 with the thread borrowed, or -errno with it let go.
static int try_thread(struct tracee *tracee, pid_t tid, uint64_t deadline, bool *single)
{
    struct arch_registers registers;
    int error = stop_thread(tracee, tid);
    if (error != 0)
        return error;
    error = arch_read_registers(tid, &registers);
    if (error == 0 && !arch_tcb_is_valid(tracee->target, arch_thread_pointer(&registers)))
        error = -ENOTSUP; // no thread of glibc's making
    if (error == 0) {
        *single = is_single(tracee, &registers);
        error = *single ? borrow_single(tracee, deadline) : tracee_borrow(tracee);
    }
    if (error != 0)
        tracee_release(tracee);
    return error;
}

static int rank(char state)
{
    switch (state) {
    case 'S':
        return 0; // asleep: a short stop costs it nothing
    case 'R':
        return 1;
    case 'Z':
    case 'X':
    case '\0':
        return -1;
    default:
        return 2; // in an uninterruptible sleep
    }
}

// The threads that may be stopped, the best ones first. Result: their number or -errno.
static int list_threads(pid_t pid, pid_t *tids)
{
    enum { RANKS = 3 };
    static pid_t all[PROCESS_THREADS];
    static int8_t ranks[PROCESS_THREADS];
    const int count = process_threads(pid, all, PROCESS_THREADS);
    int listed = 0;
    for (int i = 0; i < count; i++)
        ranks[i] = (int8_t)rank(process_state(pid, all[i]));
    for (int wanted = 0; wanted < RANKS; wanted++) {
        for (int i = 0; i < count; i++) {
            if (ranks[i] == wanted)
                tids[listed++] = all[i];
        }
    }
    return count < 0 ? count : listed;
}

static int explain(const struct tracee *tracee, int error, struct failure *failure)
{
    const pid_t pid = tracee->target->pid;
    switch (error) {
    case -EBUSY:
        return failure_set(
            failure, EBUSY,
            "process %d was stopped by a signal meanwhile; resume it (kill -CONT %d) and try again",
            pid, pid);
    case -ESRCH:
        return failure_set(failure, ESRCH,
                           "process %d has ended or executed another program meanwhile", pid);
    case -EPERM:
        return failure_set(failure, EPERM,
                           "the kernel does not let you trace process %d, or another tool is "
                           "tracing it; see ptrace_scope in ptrace(2), or try as root",
                           pid);
    case -ETIMEDOUT:
        return failure_set(failure, ETIMEDOUT,
                           "no thread of process %d can be stopped: all are in an "
                           "uninterruptible system call (a vfork whose child has not executed "
                           "yet, a disk or network file system that hangs); try again later",
                           pid);
    case -ENOTSUP:
        return failure_set(failure, ENOTSUP,
                           "process %d has no thread made by glibc; start it with "
                           "`unclosed run` instead",
                           pid);
    default:
        return failure_set(
            failure, EAGAIN,
            "process %d reached no safe point within %d s: it may always be inside malloc or "
            "signal handlers, or have no room on its stacks; nothing was changed, try again",
            pid, PATIENCE_MS / 1000);
    }
}

int safe_point_borrow(struct tracee *tracee, bool *single, struct failure *failure)
{
    static pid_t tids[PROCESS_THREADS];
    const uint64_t deadline = process_now() + PATIENCE_MS * MS;
    int error = -ESRCH;
    do {
        const int count = list_threads(tracee->target->pid, tids);
        if (count <= 0)
            return explain(tracee, -ESRCH, failure);
        for (int i = 0; i < count; i++) {
            const int result = try_thread(tracee, tids[i], deadline, single);
            if (result == 0)
                return 0;
            if (result == -EBUSY)
                return explain(tracee, result, failure);
            // What is said in the end: that a thread could not be used now counts most.
            if (i == 0 || result == -EAGAIN || error == -ESRCH)
                error = result;
        }
        process_sleep(RETRY_MS * MS);
    } while (error != -EPERM && error != -ENOTSUP && process_now() < deadline);
    return explain(tracee, error, failure);
}
