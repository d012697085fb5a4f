// x86-64: registers, signal frame, thread control block. See arch.h.
//
// Sources: asm/sigcontext.h and asm/ucontext.h for the frame, arch/x86/kernel/signal_64.c for how
// the kernel reads it; System V ABI for the red zone; tls.h of glibc for the thread control block.
#include "attach/arch.h"

#include <asm/sigcontext.h>
#include <cpuid.h>
#include <elf.h>
#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <ucontext.h>

#include "attach/system_calls.h"

const uint16_t arch_elf_machine = EM_X86_64;
const char arch_name[] = "x86-64";

enum {
    RED_ZONE = 128,
    SYSTEM_CALL_BYTES = 2,    // length of the instruction
    USER_CODE_SEGMENT = 0x33, // of 64-bit programs
    FLAGS_PLAIN = 0x202,      // interrupts on, nothing else: direction flag clear
    SOFTWARE_BYTES_AT = 464,  // of struct _fpx_sw_bytes in the XSAVE area
    XSAVE_LEGACY_BYTES = 576, // legacy region and header
    XSAVE_HEADER_AT = 512,
    DYNAMIC_FEATURES = 3 << 17 // AMX: saved only for programs that asked for it
};

// What the kernel answers inside, when a system call is to be restarted: linux/errno.h.
enum { RESTARTSYS = 512, RESTARTNOINTR = 513, RESTARTNOHAND = 514, RESTART_RESTARTBLOCK = 516 };

int arch_read_registers(pid_t tid, struct arch_registers *registers)
{
    struct iovec part = {&registers->general, sizeof registers->general};
    return ptrace(PTRACE_GETREGSET, tid, NT_PRSTATUS, &part) == 0 ? 0 : -errno;
}

int arch_write_registers(pid_t tid, const struct arch_registers *registers)
{
    struct user_regs_struct copy = registers->general;
    struct iovec part = {&copy, sizeof copy};
    return ptrace(PTRACE_SETREGSET, tid, NT_PRSTATUS, &part) == 0 ? 0 : -errno;
}

int arch_read_state(pid_t tid, struct arch_state *state)
{
    const int error = arch_read_registers(tid, &state->registers);
    if (error != 0)
        return error;
    struct iovec part = {state->vector, sizeof state->vector};
    if (ptrace(PTRACE_GETREGSET, tid, NT_X86_XSTATE, &part) != 0)
        return -errno;
    state->vector_bytes = part.iov_len;
    if (ptrace(PTRACE_GETSIGMASK, tid, sizeof state->signals, &state->signals) != 0)
        return -errno;
    return 0;
}

void arch_note_wait(pid_t pid, pid_t tid, struct arch_wait *wait)
{
    (void)pid, (void)tid;
    wait->number = -1;
}

int arch_write_vectors(pid_t tid, const struct arch_state *state)
{
    (void)tid, (void)state;
    return 0; // system calls change none
}

uint64_t arch_program_counter(const struct arch_registers *registers)
{
    return registers->general.rip;
}

uint64_t arch_stack_pointer(const struct arch_registers *registers)
{
    return registers->general.rsp;
}

uint64_t arch_link_register(const struct arch_registers *registers)
{
    (void)registers;
    return 0;
}

uint64_t arch_plain_address(uint64_t word)
{
    return word;
}

// struct rt_sigframe: the address, then struct ucontext with its flags, link and stack (3 words),
// and the registers of struct sigcontext, of which the segments come after r8 to r15, 8 others, rip
// and rflags. The code segment of 64-bit programs is 0x33 (arch/x86/include/asm/segment.h).
bool arch_is_signal_frame(const uint64_t *words, size_t count)
{
    enum { FLAGS = 1, SEGMENTS = 24, FLAGS_KNOWN = 7, USER_CODE = 0x33 };
    if (count <= SEGMENTS)
        return true;
    return words[FLAGS] <= FLAGS_KNOWN && (words[SEGMENTS] & 0xffff) == USER_CODE;
}

uint64_t arch_thread_pointer(const struct arch_registers *registers)
{
    return registers->general.fs_base;
}

// System V ABI, "DWARF Register Number Mapping": 16 is the return address, where the next frame's
// program counter is.
unsigned arch_dwarf_registers(const struct arch_registers *registers,
                              uint64_t values[ARCH_DWARF_REGISTERS], uint64_t *counter)
{
    const struct user_regs_struct *r = &registers->general;
    const uint64_t ordered[] = {r->rax, r->rdx, r->rcx, r->rbx, r->rsi, r->rdi,
                                r->rbp, r->rsp, r->r8,  r->r9,  r->r10, r->r11,
                                r->r12, r->r13, r->r14, r->r15, r->rip};
    memcpy(values, ordered, sizeof ordered);
    *counter = r->rip;
    return sizeof ordered / sizeof ordered[0];
}

uint64_t arch_result(const struct arch_registers *registers)
{
    return registers->general.rax;
}

long arch_system_call(const struct arch_registers *registers)
{
    return (long)registers->general.orig_rax;
}

bool arch_is_native(const struct arch_registers *registers)
{
    return registers->general.cs == USER_CODE_SEGMENT;
}

static bool wants_restart(const struct arch_registers *registers)
{
    if ((long)registers->general.orig_rax < 0)
        return false;
    const long result = (long)registers->general.rax;
    return result == -RESTARTSYS || result == -RESTARTNOINTR || result == -RESTARTNOHAND ||
           result == -RESTART_RESTARTBLOCK;
}

void arch_name_restarted(const struct target *target, struct arch_registers *registers)
{
    enum { MOVE_TO_EAX = 0xb8, MOVE_BYTES = 5 };
    uint8_t code[MOVE_BYTES];
    uint32_t number = 0;
    if (registers->general.orig_rax != SYS_restart_syscall || !wants_restart(registers) ||
        target_read(target, registers->general.rip - SYSTEM_CALL_BYTES - MOVE_BYTES, code,
                    sizeof code) != 0 ||
        code[0] != MOVE_TO_EAX)
        return;
    memcpy(&number, code + 1, sizeof number);
    registers->general.orig_rax = number; // the kernel itself does not look at it
}

static bool was_interrupted(const struct arch_registers *registers)
{
    return (long)registers->general.rax == -EINTR &&
           system_call_answers_interrupted((long)registers->general.orig_rax);
}

bool arch_is_blocked(const struct arch_registers *registers, const struct arch_wait *wait)
{
    (void)wait; // the registers tell it all
    return wants_restart(registers) || was_interrupted(registers);
}

bool arch_reissue_interrupted(struct arch_registers *registers, const struct arch_wait *wait)
{
    (void)wait;
    if (!was_interrupted(registers))
        return false;
    registers->general.rax = registers->general.orig_rax;
    registers->general.rip -= SYSTEM_CALL_BYTES;
    registers->general.orig_rax = (unsigned long long)-1;
    return true;
}

// Number of bytes of the XSAVE area that a program without AMX has.
static uint32_t vector_size(const struct arch_state *state)
{
    uint64_t present = 0;
    memcpy(&present, state->vector + XSAVE_HEADER_AT, sizeof present);
    uint32_t size = XSAVE_LEGACY_BYTES;
    unsigned int low = 0;
    unsigned int unused = 0;
    unsigned int high = 0;
    if (!__get_cpuid_count(0xd, 0, &low, &unused, &unused, &high))
        return (uint32_t)state->vector_bytes;
    const uint64_t features = ((uint64_t)high << 32 | low) & ~(uint64_t)DYNAMIC_FEATURES;
    for (unsigned int i = 2; i < 63; i++) {
        unsigned int bytes = 0;
        unsigned int offset = 0;
        if (((features | present) >> i & 1) != 0 &&
            __get_cpuid_count(0xd, i, &bytes, &offset, &unused, &unused) && bytes != 0 &&
            offset + bytes > size)
            size = offset + bytes;
    }
    return size <= state->vector_bytes ? size : (uint32_t)state->vector_bytes;
}

static void fill_vector(const struct arch_state *state, uint32_t size, uint8_t *area)
{
    uint64_t features = 0;
    memcpy(area, state->vector, size);
    // ptrace puts the features the kernel saves (XCR0) where the frame has its description.
    memcpy(&features, state->vector + SOFTWARE_BYTES_AT, sizeof features);
    struct _fpx_sw_bytes description = {.magic1 = FP_XSTATE_MAGIC1,
                                        .extended_size = size + FP_XSTATE_MAGIC2_SIZE,
                                        .xfeatures = features,
                                        .xstate_size = size};
    const uint32_t end = FP_XSTATE_MAGIC2;
    memcpy(area + SOFTWARE_BYTES_AT, &description, sizeof description);
    memcpy(area + size, &end, sizeof end);
}

static void fill_registers(const struct user_regs_struct *r, greg_t *g)
{
    g[REG_R8] = (greg_t)r->r8;
    g[REG_R9] = (greg_t)r->r9;
    g[REG_R10] = (greg_t)r->r10;
    g[REG_R11] = (greg_t)r->r11;
    g[REG_R12] = (greg_t)r->r12;
    g[REG_R13] = (greg_t)r->r13;
    g[REG_R14] = (greg_t)r->r14;
    g[REG_R15] = (greg_t)r->r15;
    g[REG_RDI] = (greg_t)r->rdi;
    g[REG_RSI] = (greg_t)r->rsi;
    g[REG_RBP] = (greg_t)r->rbp;
    g[REG_RBX] = (greg_t)r->rbx;
    g[REG_RDX] = (greg_t)r->rdx;
    g[REG_RAX] = (greg_t)r->rax;
    g[REG_RCX] = (greg_t)r->rcx;
    g[REG_RSP] = (greg_t)r->rsp;
    g[REG_RIP] = (greg_t)r->rip;
    g[REG_EFL] = (greg_t)r->eflags;
    g[REG_CSGSFS] = (greg_t)(r->cs | r->gs << 16 | r->fs << 32 | r->ss << 48);
}

void arch_build_frame(const struct arch_state *state, const struct arch_gadgets *gadgets,
                      uint64_t top, struct arch_frame *frame)
{
    enum { UC_XSTATE = 1, UC_SS = 2, UC_STRICT_SS = 4, NO_CHANGE = 0x7fff };
    // The kernel's struct ucontext ends with 64 signals, glibc's ucontext_t is longer.
    const size_t context_bytes = offsetof(ucontext_t, uc_sigmask) + sizeof(uint64_t);
    const uint32_t size = vector_size(state);
    struct arch_registers registers = state->registers;
    ucontext_t context = {0};

    if (wants_restart(&registers)) {
        registers.general.rax = registers.general.orig_rax;
        registers.general.rip -= SYSTEM_CALL_BYTES;
    } else {
        arch_reissue_interrupted(&registers, &state->wait);
    }
    const uint64_t vector = (top - RED_ZONE - size - FP_XSTATE_MAGIC2_SIZE) & ~UINT64_C(63);
    frame->address = (vector - context_bytes - sizeof(uint64_t)) & ~UINT64_C(15);
    frame->bytes = vector + size + FP_XSTATE_MAGIC2_SIZE - frame->address;
    context.uc_flags = UC_XSTATE | UC_SS | UC_STRICT_SS;
    context.uc_stack.ss_flags = NO_CHANGE; // not valid, so the alternate stack stays what it is
    fill_registers(&registers.general, context.uc_mcontext.gregs);
    context.uc_mcontext.fpregs = (fpregset_t)(uintptr_t)vector;
    memset(frame->data, 0, frame->bytes);
    memcpy(frame->data, &gadgets->signal_return, sizeof gadgets->signal_return);
    memcpy(frame->data + sizeof(uint64_t), &context, offsetof(ucontext_t, uc_sigmask));
    memcpy(frame->data + sizeof(uint64_t) + offsetof(ucontext_t, uc_sigmask), &state->signals,
           sizeof state->signals);
    fill_vector(state, size, frame->data + (vector - frame->address));
}

void arch_prepare_call(struct arch_registers *registers, const struct arch_gadgets *gadgets,
                       uint64_t frame, long number, const uint64_t arguments[6])
{
    registers->general.orig_rax =
        (unsigned long long)-1; // the kernel is not to restart anything here
    registers->general.rax = (unsigned long long)number;
    registers->general.rdi = arguments[0];
    registers->general.rsi = arguments[1];
    registers->general.rdx = arguments[2];
    registers->general.r10 = arguments[3];
    registers->general.r8 = arguments[4];
    registers->general.r9 = arguments[5];
    registers->general.rip = gadgets->system_call_return;
    registers->general.rsp = frame;
    registers->general.eflags = FLAGS_PLAIN;
}

void arch_prepare_clone(struct arch_registers *registers, const struct arch_gadgets *gadgets,
                        uint64_t frame, uint64_t stack, uint64_t entry, uint64_t data, uint64_t tcb,
                        uint64_t lives_address, uint64_t stack_words[2])
{
    const uint64_t flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
                           CLONE_SYSVSEM | CLONE_SETTLS | CLONE_CHILD_CLEARTID;
    const uint64_t arguments[6] = {flags, stack, 0, lives_address, tcb, 0};
    arch_prepare_call(registers, gadgets, frame, SYS_clone, arguments);
    registers->general.r12 = data;
    stack_words[0] = entry; // the new thread returns to it
    stack_words[1] = 0;
}

// Offsets in tcbhead_t, and what ld.so keeps in front of the first slot of a dtv.
enum {
    TCB_SELF = 0,
    TCB_DTV = 8,
    TCB_SELF_AGAIN = 16,
    TCB_MULTIPLE = 24,
    TCB_GUARDS = 40, // stack guard, pointer guard
    TCB_BYTES = 64,
    DTV_SLOT_BYTES = 16,
};

int arch_write_tcb(const struct target *target, uint64_t tcb, uint64_t model, uint64_t dtv,
                   uint64_t slots)
{
    uint8_t block[TCB_BYTES] = {0};
    const uint64_t first_slot = dtv + DTV_SLOT_BYTES;
    const uint32_t multiple = 1;
    int error = target_read(target, model + TCB_GUARDS, block + TCB_GUARDS, 2 * sizeof(uint64_t));
    if (error != 0)
        return error;
    memcpy(block + TCB_SELF, &tcb, sizeof tcb);
    memcpy(block + TCB_DTV, &first_slot, sizeof first_slot);
    memcpy(block + TCB_SELF_AGAIN, &tcb, sizeof tcb);
    memcpy(block + TCB_MULTIPLE, &multiple, sizeof multiple);
    error = target_write(target, tcb, block, sizeof block);
    return error != 0 ? error : target_write(target, dtv, &slots, sizeof slots);
}

bool arch_find_descriptor(const struct target *target, int64_t *offset)
{
    (void)target;
    *offset = 0; // it begins with the tcbhead_t
    return true;
}

bool arch_tcb_is_valid(const struct target *target, uint64_t tcb)
{
    uint64_t self[3] = {0};
    return tcb != 0 && target_read(target, tcb, self, sizeof self) == 0 && self[0] == tcb &&
           self[2] == tcb;
}

bool arch_tcb_is_single(const struct target *target, uint64_t tcb)
{
    uint32_t multiple = 0;
    return target_read(target, tcb + TCB_MULTIPLE, &multiple, sizeof multiple) != 0 ||
           multiple == 0;
}

int arch_tcb_set_multiple(const struct target *target, uint64_t tcb)
{
    const uint32_t multiple = 1;
    return target_write(target, tcb + TCB_MULTIPLE, &multiple, sizeof multiple);
}

int arch_find_gadgets(const struct target *target, struct arch_gadgets *gadgets,
                      struct failure *failure)
{
    static const uint8_t call_return[] = {0x0f, 0x05, 0xc3}; // syscall; ret, as in getpid
    // mov $15, %rax; syscall: unwinders know handlers' frames by these bytes, so they do not change
    static const uint8_t signal_return[] = {0x48, 0xc7, 0xc0, 0x0f, 0, 0, 0, 0x0f, 0x05};
    gadgets->system_call_return =
        module_find_code(target, target->libc, call_return, sizeof call_return, 1);
    gadgets->signal_return =
        module_find_code(target, target->libc, signal_return, sizeof signal_return, 1);
    if (gadgets->system_call_return != 0 && gadgets->signal_return != 0)
        return 0;
    return failure_set(failure, ENOTSUP,
                       "the C library of process %d (%s) has no system call that can be used; "
                       "start the program with `unclosed run` instead",
                       target->pid, target->libc->name);
}
