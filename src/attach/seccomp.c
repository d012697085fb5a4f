// See seccomp.h. The instructions are described in the kernel's networking/filter.rst, what they
// may be in a seccomp filter in seccomp_filter.rst; seccomp(2).
#include "attach/seccomp.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>

#include "attach/arch.h"
#include "attach/process.h"

enum { PROGRAM_LIMIT = 4096, FILTER_LIMIT = 64, NAMES_BYTES = 256, MODE_STRICT = 1 };

#if defined __x86_64__
#define FILTER_ARCHITECTURE AUDIT_ARCH_X86_64
#elif defined __aarch64__
#define FILTER_ARCHITECTURE AUDIT_ARCH_AARCH64
#endif
#include <linux/audit.h>

struct machine {
    uint32_t a, x;
    uint32_t memory[BPF_MEMWORDS];
};

static void calculate(struct machine *m, uint16_t code, uint32_t k)
{
    const uint32_t value = BPF_SRC(code) == BPF_X ? m->x : k;
    switch (BPF_OP(code)) {
    case BPF_ADD:
        m->a += value;
        break;
    case BPF_SUB:
        m->a -= value;
        break;
    case BPF_MUL:
        m->a *= value;
        break;
    case BPF_DIV:
        m->a = value != 0 ? m->a / value : 0;
        break;
    case BPF_AND:
        m->a &= value;
        break;
    case BPF_OR:
        m->a |= value;
        break;
    case BPF_XOR:
        m->a ^= value;
        break;
    case BPF_LSH:
        m->a = value < 32 ? m->a << value : 0;
        break;
    case BPF_RSH:
        m->a = value < 32 ? m->a >> value : 0;
        break;
    default:
        m->a = -m->a; // BPF_NEG
        break;
    }
}

static bool jumps(const struct machine *m, uint16_t code, uint32_t k)
{
    const uint32_t value = BPF_SRC(code) == BPF_X ? m->x : k;
    switch (BPF_OP(code)) {
    case BPF_JEQ:
        return m->a == value;
    case BPF_JGT:
        return m->a > value;
    case BPF_JGE:
        return m->a >= value;
    default:
        return (m->a & value) != 0; // BPF_JSET
    }
}

// BPF_LD and BPF_LDX. Result: false if it reads outside of what there is.
static bool load(struct machine *m, const struct sock_filter *step, const struct seccomp_data *data)
{
    uint32_t value = step->k; // BPF_IMM
    if (BPF_MODE(step->code) == BPF_MEM) {
        if (step->k >= BPF_MEMWORDS)
            return false;
        value = m->memory[step->k];
    } else if (BPF_MODE(step->code) == BPF_LEN) {
        value = sizeof *data;
    } else if (BPF_MODE(step->code) == BPF_ABS) {
        if (step->k > sizeof *data - sizeof value)
            return false;
        memcpy(&value, (const char *)data + step->k, sizeof value);
    }
    if (BPF_CLASS(step->code) == BPF_LD)
        m->a = value;
    else
        m->x = value;
    return true;
}

// Runs one filter program on `data`. Result: what it returns (SECCOMP_RET_*),
// SECCOMP_RET_KILL_PROCESS for a program that is not valid.
static uint32_t run_filter(const struct sock_filter *program, size_t length,
                           const struct seccomp_data *data)
{
    struct machine m = {0};
    for (size_t i = 0; i < length; i++) { // jumps go forward only
        const struct sock_filter *step = &program[i];
        switch (BPF_CLASS(step->code)) {
        case BPF_LD:
        case BPF_LDX:
            if (!load(&m, step, data))
                return SECCOMP_RET_KILL_PROCESS;
            break;
        case BPF_ST:
        case BPF_STX:
            if (step->k >= BPF_MEMWORDS)
                return SECCOMP_RET_KILL_PROCESS;
            m.memory[step->k] = BPF_CLASS(step->code) == BPF_ST ? m.a : m.x;
            break;
        case BPF_ALU:
            calculate(&m, step->code, step->k);
            break;
        case BPF_JMP:
            if (BPF_OP(step->code) == BPF_JA)
                i += step->k;
            else
                i += jumps(&m, step->code, step->k) ? step->jt : step->jf;
            break;
        case BPF_RET:
            return BPF_RVAL(step->code) == BPF_A ? m.a : step->k;
        default: // BPF_MISC
            if (BPF_MISCOP(step->code) == BPF_TAX)
                m.x = m.a;
            else
                m.a = m.x;
            break;
        }
    }
    return SECCOMP_RET_KILL_PROCESS;
}

// A system call that an attach makes: itself, in the dynamic linker, or in the recorder.
struct expected {
    const char *name;
    int number;
    bool may_fail; // there is another way if the filter answers an error
    uint64_t arguments[6];
};

static const struct expected expected_calls[] = {
    {"mmap", SYS_mmap, false, {0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0}},
    {"mmap", SYS_mmap, false, {0, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, 3, 0}},
    {"mmap", SYS_mmap, false, {0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, 3, 0}},
    {"mprotect", SYS_mprotect, false, {4096, 4096, PROT_READ | PROT_WRITE}},
    {"munmap", SYS_munmap, false, {4096, 4096}},
    {"clone",
     SYS_clone,
     false,
     {CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |
      CLONE_SETTLS | CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID}},
    {"rt_sigprocmask", SYS_rt_sigprocmask, false, {2, 4096, 0, 8}},
    {"futex", SYS_futex, false, {4096, 129, 1}},
    {"exit", SYS_exit, false, {0}},
    {"nanosleep", SYS_nanosleep, false, {4096}},
    {"close", SYS_close, false, {3}},
    {"openat", SYS_openat, false, {(uint64_t)-100, 4096, O_RDONLY | O_CLOEXEC}},
    {"openat",
     SYS_openat,
     false,
     {(uint64_t)-100, 4096,
      O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY, 0600}},
    {"read", SYS_read, false, {3, 4096, 4096}},
    {"pread64", SYS_pread64, false, {3, 4096, 4096}},
    {"newfstatat", SYS_newfstatat, false, {3, 4096, 4096, 0x1000}},
    {"memfd_create", SYS_memfd_create, false, {4096, 1}},
    {"fallocate", SYS_fallocate, false, {3, 0, 0, 4096}},
    {"madvise", SYS_madvise, true, {4096, 4096, 4}},
    {"prctl", SYS_prctl, true, {PR_SET_NAME, 4096}},
    {"clone3", SYS_clone3, true, {4096, 88}},
    {"set_robust_list", SYS_set_robust_list, true, {4096, 24}},
    {"rseq", SYS_rseq, true, {4096, 32, 0, 1392848979}},
    {"sched_getaffinity", SYS_sched_getaffinity, true, {0, 128, 4096}},
    {"getrandom", SYS_getrandom, true, {4096, 8, 1}},
    {"gettid", SYS_gettid, true, {0}},
    {"clock_gettime", SYS_clock_gettime, true, {1, 4096}},
    {"socketpair", SYS_socketpair, true, {1, 1, 0, 4096}},
    {"recvmsg", SYS_recvmsg, true, {3, 4096, 0}},
    {"fcntl", SYS_fcntl, true, {3, 1030, 512}},
};

// Whether the C library has registered restartable sequences for this thread. It then ends the
// program if it cannot do so for a new one.
static bool needs_rseq(pid_t tid)
{
    struct __ptrace_rseq_configuration where = {0};
    return ptrace(PTRACE_GET_RSEQ_CONFIGURATION, tid, sizeof where, &where) >= 0 &&
           where.rseq_abi_pointer != 0;
}

static bool is_acceptable(uint32_t verdict, const struct expected *call, bool rseq)
{
    switch (verdict & SECCOMP_RET_ACTION_FULL) {
    case SECCOMP_RET_ALLOW:
    case SECCOMP_RET_LOG:
        return true;
    case SECCOMP_RET_ERRNO:
        // glibc goes back to clone only if clone3 is said not to exist.
        return call->may_fail && (call->number != SYS_rseq || !rseq) &&
               (call->number != SYS_clone3 || (verdict & SECCOMP_RET_DATA) == ENOSYS);
    default:
        return false;
    }
}

static void add_name(char names[NAMES_BYTES], const char *name)
{
    const size_t length = strlen(names);
    if (strstr(names, name) == NULL)
        snprintf(names + length, NAMES_BYTES - length, "%s%s", length != 0 ? ", " : "", name);
}

static void try_calls(const struct sock_filter *program, size_t length, bool rseq,
                      char names[NAMES_BYTES])
{
    for (size_t i = 0; i < sizeof expected_calls / sizeof expected_calls[0]; i++) {
        struct seccomp_data data = {.nr = expected_calls[i].number, .arch = FILTER_ARCHITECTURE};
        memcpy(data.args, expected_calls[i].arguments, sizeof data.args);
        if (!is_acceptable(run_filter(program, length, &data), &expected_calls[i], rseq))
            add_name(names, expected_calls[i].name);
    }
}

int seccomp_check(pid_t pid, pid_t tid, struct failure *failure)
{
    static struct sock_filter program[PROGRAM_LIMIT];
    char names[NAMES_BYTES] = "";
    const bool rseq = needs_rseq(tid);
    const long mode = process_number(pid, tid, "Seccomp");
    if (mode <= 0)
        return 0;
    if (mode == MODE_STRICT)
        return failure_set(failure, EPERM,
                           "process %d is in seccomp strict mode: the kernel would kill it at the "
                           "first call; start it with `unclosed run` instead",
                           pid);
    for (int i = 0; i < FILTER_LIMIT; i++) {
        const long length = ptrace(PTRACE_SECCOMP_GET_FILTER, tid, i, program);
        if (length < 0 && errno == ENOENT)
            break;
        if (length < 0)
            return failure_set(failure, EPERM,
                               "process %d has a seccomp filter that may kill it, and the filter "
                               "cannot be read (%s); try as root with CAP_SYS_ADMIN",
                               pid, strerror(errno));
        try_calls(program, (size_t)length, rseq, names);
    }
    if (names[0] == '\0')
        return 0;
    return failure_set(failure, EPERM,
                       "process %d has a seccomp filter that blocks these system calls: %s; allow "
                       "them, or start the program with `unclosed run`",
                       pid, names);
}
