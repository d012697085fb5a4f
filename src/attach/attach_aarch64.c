// aarch64: registers, signal frame, thread control block. See arch.h.
//
// Sources: asm/sigcontext.h for the records of a signal frame, arch/arm64/kernel/signal.c for how
// the kernel reads them and how it restarts system calls, Documentation/arm64/sve.rst for what
// system calls do to SVE registers; tls.h of glibc for the thread control block.
//
// What differs from x86-64:
//
// - A thread that is stopped while it waits in a system call has been put back to the instruction
//   by the kernel already, or has EINTR as its result; the number and the first argument are gone.
//   So what it waits in is read from /proc before it is stopped, and compared.
// - `ret` takes its address from a register, which a new thread shares with the one that clones.
//   Both return to an epilogue in libc that takes x29 and x30 from the stack.
// - glibc has no code to return from signals; the vDSO has.
// - A system call takes the upper parts of SVE registers away. They are given back.
#include "attach/arch.h"

#include <asm/ptrace.h>
#include <asm/sigcontext.h>
#include <elf.h>
#include <errno.h>
#include <linux/futex.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <time.h>
#include <ucontext.h>

#include "attach/process.h"
#include "attach/system_calls.h"

const uint16_t arch_elf_machine = EM_AARCH64;
const char arch_name[] = "aarch64";

#ifndef NT_ARM_SSVE
#define NT_ARM_SSVE 0x40b // registers of streaming mode
#endif

enum {
    INSTRUCTION_BYTES = 4,
    NUMBER = 8, // registers
    ENTRY_DATA = 19,
    FRAME_POINTER = 29,
    LINK = 30,
    ADDRESS_BITS = 48, // of code; above may be a pointer authentication code
    SVE_AT = sizeof(struct user_fpsimd_state), // in arch_state's vector
    PAIR_BYTES = 16,                           // x29, x30
    END_BYTES = 16,                            // the empty record at the end, and alignment
};
_Static_assert(SVE_AT % 16 == 0, "alignment of NT_ARM_SVE");

// What the kernel answers inside, when a system call is to be restarted: linux/errno.h.
enum { RESTARTSYS = 512, RESTARTNOINTR = 513, RESTARTNOHAND = 514, RESTART_RESTARTBLOCK = 516 };

int arch_read_registers(pid_t tid, struct arch_registers *registers)
{
    int call = -1;
    struct iovec general = {&registers->general, sizeof registers->general};
    struct iovec thread = {&registers->thread_pointer, sizeof registers->thread_pointer};
    struct iovec number = {&call, sizeof call};
    if (ptrace(PTRACE_GETREGSET, tid, NT_PRSTATUS, &general) != 0)
        return -errno;
    if (general.iov_len != sizeof registers->general)
        registers->general.pstate = PSR_MODE32_BIT; // a 32-bit program's are fewer
    else if (ptrace(PTRACE_GETREGSET, tid, NT_ARM_TLS, &thread) != 0 ||
             ptrace(PTRACE_GETREGSET, tid, NT_ARM_SYSTEM_CALL, &number) != 0)
        return -errno;
    registers->call = call;
    return 0;
}

// The thread is afterwards in no system call that could be restarted.
int arch_write_registers(pid_t tid, const struct arch_registers *registers)
{
    struct user_regs_struct copy = registers->general;
    int call = -1;
    struct iovec general = {&copy, sizeof copy};
    struct iovec number = {&call, sizeof call};
    if (ptrace(PTRACE_SETREGSET, tid, NT_PRSTATUS, &general) != 0 ||
        ptrace(PTRACE_SETREGSET, tid, NT_ARM_SYSTEM_CALL, &number) != 0)
        return -errno;
    return 0;
}

// Whether there is this set of SVE registers and the thread has something in it.
static bool read_scalable(pid_t tid, int set, void *data, size_t *bytes)
{
    struct user_sve_header header;
    struct iovec part = {data, *bytes};
    if (ptrace(PTRACE_GETREGSET, tid, set, &part) != 0 || part.iov_len < sizeof header)
        return false;
    memcpy(&header, data, sizeof header);
    *bytes = part.iov_len;
    return (header.flags & SVE_PT_REGS_MASK) == SVE_PT_REGS_SVE && header.size <= part.iov_len;
}

int arch_read_state(pid_t tid, struct arch_state *state)
{
    const int error = arch_read_registers(tid, &state->registers);
    if (error != 0)
        return error;
    size_t bytes = sizeof state->vector - SVE_AT;
    if (read_scalable(tid, NT_ARM_SSVE, state->vector + SVE_AT, &bytes))
        return -EAGAIN; // in streaming mode, which a system call ends
    struct iovec part = {state->vector, SVE_AT};
    if (ptrace(PTRACE_GETREGSET, tid, NT_PRFPREG, &part) != 0)
        return -errno;
    bytes = sizeof state->vector - SVE_AT;
    const bool scalable = read_scalable(tid, NT_ARM_SVE, state->vector + SVE_AT, &bytes);
    state->vector_bytes = SVE_AT + (scalable ? bytes : 0);
    if (ptrace(PTRACE_GETSIGMASK, tid, sizeof state->signals, &state->signals) != 0)
        return -errno;
    return 0;
}

int arch_write_vectors(pid_t tid, const struct arch_state *state)
{
    uint8_t copy[ARCH_VECTOR_BYTES];
    if (state->vector_bytes == SVE_AT)
        return 0; // the lower parts are left alone
    struct iovec part = {copy, state->vector_bytes - SVE_AT};
    memcpy(copy, state->vector + SVE_AT, part.iov_len);
    return ptrace(PTRACE_SETREGSET, tid, NT_ARM_SVE, &part) == 0 ? 0 : -errno;
}

uint64_t arch_program_counter(const struct arch_registers *registers)
{
    return registers->general.pc;
}

uint64_t arch_stack_pointer(const struct arch_registers *registers)
{
    return registers->general.sp;
}

uint64_t arch_link_register(const struct arch_registers *registers)
{
    return registers->general.regs[LINK];
}

uint64_t arch_plain_address(uint64_t word)
{
    return word & ((UINT64_C(1) << ADDRESS_BITS) - 1);
}

// The number is in a register of the thread's own, which nothing tells any more.
void arch_name_restarted(const struct target *target, struct arch_registers *registers)
{
    (void)target;
    (void)registers;
}

// The address is in the handler's own frame, as any return address.
bool arch_is_signal_frame(const uint64_t *words, size_t count)
{
    (void)words;
    (void)count;
    return true;
}

uint64_t arch_thread_pointer(const struct arch_registers *registers)
{
    return registers->thread_pointer;
}

uint64_t arch_result(const struct arch_registers *registers)
{
    return registers->general.regs[0];
}

long arch_system_call(const struct arch_registers *registers)
{
    return registers->call;
}

bool arch_is_native(const struct arch_registers *registers)
{
    return (registers->general.pstate & PSR_MODE32_BIT) == 0;
}

// DWARF for the Arm 64-bit Architecture, "DWARF register names": 31 is the stack pointer.
unsigned arch_dwarf_registers(const struct arch_registers *registers,
                              uint64_t values[ARCH_DWARF_REGISTERS], uint64_t *counter)
{
    const struct user_regs_struct *r = &registers->general;
    memcpy(values, r->regs, sizeof r->regs);
    values[31] = r->sp;
    *counter = r->pc;
    return ARCH_DWARF_REGISTERS;
}

void arch_note_wait(pid_t pid, pid_t tid, struct arch_wait *wait)
{
    uint64_t values[8];
    if (!process_waits_in(pid, tid, &wait->number, values)) {
        wait->number = -1;
        return;
    }
    memcpy(wait->arguments, values, sizeof wait->arguments);
    wait->stack_pointer = values[6];
    wait->program_counter = values[7];
}

// Whether the thread is where it waited, but for the program counter and the first register.
static bool is_at_wait(const struct user_regs_struct *r, const struct arch_wait *wait)
{
    return wait->number >= 0 && r->regs[NUMBER] == (uint64_t)wait->number &&
           r->sp == wait->stack_pointer &&
           memcmp(&r->regs[1], &wait->arguments[1], 5 * sizeof r->regs[0]) == 0;
}

// Put back by the kernel, about to issue the call again.
static bool was_put_back(const struct user_regs_struct *r, const struct arch_wait *wait)
{
    return is_at_wait(r, wait) && r->pc == wait->program_counter - INSTRUCTION_BYTES &&
           r->regs[0] == wait->arguments[0];
}

static bool was_interrupted(const struct user_regs_struct *r, const struct arch_wait *wait)
{
    return is_at_wait(r, wait) && r->pc == wait->program_counter && (long)r->regs[0] == -EINTR &&
           system_call_answers_interrupted(wait->number);
}

// At the exit of a system call the kernel has not yet done anything about it.
static bool is_unfinished(const struct arch_registers *registers)
{
    const long result = (long)registers->general.regs[0];
    if (registers->call < 0)
        return false;
    return result == -RESTARTSYS || result == -RESTARTNOINTR || result == -RESTARTNOHAND ||
           result == -RESTART_RESTARTBLOCK ||
           (result == -EINTR && system_call_answers_interrupted(registers->call));
}

bool arch_is_blocked(const struct arch_registers *registers, const struct arch_wait *wait)
{
    return was_put_back(&registers->general, wait) || was_interrupted(&registers->general, wait) ||
           is_unfinished(registers);
}

static bool reissue(struct user_regs_struct *r, const struct arch_wait *wait)
{
    if (!was_interrupted(r, wait))
        return false;
    r->regs[0] = wait->arguments[0];
    r->pc -= INSTRUCTION_BYTES;
    return true;
}

// Calls whose time is relative and for which the kernel has noted when it is over.
static bool has_noted_end(const struct arch_wait *wait)
{
    const uint64_t operation = wait->arguments[1] & FUTEX_CMD_MASK;
    switch (wait->number) {
    case SYS_nanosleep:
        return true;
    case SYS_clock_nanosleep:
        return (wait->arguments[1] & TIMER_ABSTIME) == 0;
    case SYS_futex:
        return operation == FUTEX_WAIT && wait->arguments[3] != 0;
    default:
        return false;
    }
}

bool arch_reissue_interrupted(struct arch_registers *registers, const struct arch_wait *wait)
{
    struct user_regs_struct *r = &registers->general;
    if (was_put_back(r, wait) && has_noted_end(wait)) {
        r->regs[NUMBER] = SYS_restart_syscall; // as the kernel does if it is not a tracer's stop
        return true;
    }
    return reissue(r, wait);
}

// The records behind the general registers: vector registers, and an empty one at the end. Result:
// bytes used from `area` on, which is at `address` and may be longer than 4096 bytes.
static size_t fill_records(const struct arch_state *state, uint64_t address, uint8_t *area)
{
    struct user_fpsimd_state from;
    struct fpsimd_context simd = {.head = {FPSIMD_MAGIC, sizeof simd}};
    memcpy(&from, state->vector, sizeof from);
    simd.fpsr = from.fpsr;
    simd.fpcr = from.fpcr;
    memcpy(simd.vregs, from.vregs, sizeof simd.vregs);
    memcpy(area, &simd, sizeof simd);
    size_t used = sizeof simd;
    if (state->vector_bytes == SVE_AT)
        return used + END_BYTES;

    struct user_sve_header header;
    memcpy(&header, state->vector + SVE_AT, sizeof header);
    const unsigned quadwords = sve_vq_from_vl(header.vl);
    const uint32_t bytes = (uint32_t)(SVE_SIG_CONTEXT_SIZE(quadwords) + 15) & ~15u;
    struct sve_context scalable = {.head = {SVE_MAGIC, bytes}, .vl = header.vl};
    struct extra_context extra = {.head = {EXTRA_MAGIC, sizeof extra}};
    // The extra space begins right behind the empty record that follows its description.
    const size_t at = used + sizeof extra + END_BYTES;
    extra.datap = address + at;
    extra.size = bytes + END_BYTES;
    memcpy(area + used, &extra, sizeof extra);
    memcpy(area + at, &scalable, sizeof scalable);
    memcpy(area + at + SVE_SIG_REGS_OFFSET, state->vector + SVE_AT + SVE_PT_REGS_OFFSET,
           SVE_SIG_REGS_SIZE(quadwords));
    return at + extra.size;
}

// From the lowest address on: x29 and x30 for the epilogue, then what the kernel reads.
struct frame_begin {
    uint64_t pair[2];
    siginfo_t info;
    ucontext_t context;
};
_Static_assert(offsetof(struct frame_begin, info) == PAIR_BYTES, "the frame's layout");
_Static_assert(offsetof(struct frame_begin, context) == PAIR_BYTES + 128, "the frame's layout");

void arch_build_frame(const struct arch_state *state, const struct arch_gadgets *gadgets,
                      uint64_t top, struct arch_frame *frame)
{
    enum { NO_CHANGE = 0x7fff };
    static struct frame_begin begin;
    const size_t records = offsetof(struct frame_begin, context.uc_mcontext.__reserved);
    struct user_regs_struct registers = state->registers.general;
    reissue(&registers, &state->wait);

    memset(frame->data, 0, sizeof frame->data);
    frame->bytes = records + fill_records(state, 0, frame->data + records); // only how many
    if (frame->bytes < sizeof begin)
        frame->bytes = sizeof begin;
    frame->address = (top - frame->bytes) & ~UINT64_C(15);
    begin = (struct frame_begin){.pair = {registers.regs[FRAME_POINTER], gadgets->signal_return}};
    begin.context.uc_stack.ss_flags = NO_CHANGE; // not valid, so the alternate one stays as it is
    memcpy(&begin.context.uc_sigmask, &state->signals, sizeof state->signals);
    memcpy(begin.context.uc_mcontext.regs, registers.regs, sizeof registers.regs);
    begin.context.uc_mcontext.sp = registers.sp;
    begin.context.uc_mcontext.pc = registers.pc;
    begin.context.uc_mcontext.pstate = registers.pstate;
    memcpy(frame->data, &begin, records);
    fill_records(state, frame->address + records, frame->data + records);
}

void arch_prepare_call(struct arch_registers *registers, const struct arch_gadgets *gadgets,
                       uint64_t frame, long number, const uint64_t arguments[6])
{
    struct user_regs_struct *r = &registers->general;
    memcpy(r->regs, arguments, 6 * sizeof r->regs[0]);
    r->regs[NUMBER] = (uint64_t)number;
    r->regs[LINK] = gadgets->pop_return;
    r->pc = gadgets->system_call_return;
    r->sp = frame;
    r->pstate = PSR_MODE_EL0t; // no landing pad expected, either
}

void arch_prepare_clone(struct arch_registers *registers, const struct arch_gadgets *gadgets,
                        uint64_t frame, uint64_t stack, uint64_t entry, uint64_t data, uint64_t tcb,
                        uint64_t lives_address, uint64_t stack_words[2])
{
    const uint64_t flags = CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD |
                           CLONE_SYSVSEM | CLONE_SETTLS | CLONE_CHILD_CLEARTID;
    const uint64_t arguments[6] = {flags, stack, 0, tcb, lives_address, 0}; // CLONE_BACKWARDS
    arch_prepare_call(registers, gadgets, frame, SYS_clone, arguments);
    registers->general.regs[ENTRY_DATA] = data;
    stack_words[0] = 0;     // the new thread's x29: the end of the chain of frames
    stack_words[1] = entry; // and x30
}

// tcbhead_t: { dtv, private }; the descriptor is below it and begins with a flag.
enum { TCB_DTV = 0, TCB_BYTES = 16, DTV_SLOT_BYTES = 16, DESCRIPTOR_MULTIPLE = 0 };

bool arch_find_descriptor(const struct target *target, int64_t *offset)
{
    uint32_t bytes = 0; // libc says it for debuggers
    const uint64_t address = target_symbol(target, "_thread_db_sizeof_pthread");
    if (address == 0 || target_read(target, address, &bytes, sizeof bytes) != 0 || bytes == 0 ||
        bytes > ARCH_PTHREAD_BYTES)
        return false;
    *offset = -(int64_t)bytes;
    return true;
}

int arch_write_tcb(const struct target *target, uint64_t tcb, uint64_t model, uint64_t dtv,
                   uint64_t slots)
{
    (void)model; // the guards are not in it
    const uint64_t block[TCB_BYTES / sizeof(uint64_t)] = {dtv + DTV_SLOT_BYTES};
    int error = target_write(target, tcb, block, sizeof block);
    if (error == 0)
        error = arch_tcb_set_multiple(target, tcb);
    return error != 0 ? error : target_write(target, dtv, &slots, sizeof slots);
}

// A dtv has its length in front, and its generation first.
bool arch_tcb_is_valid(const struct target *target, uint64_t tcb)
{
    enum { SLOTS_LIMIT = 1 << 20 };
    uint64_t dtv = 0;
    uint64_t slots = 0;
    return tcb != 0 && target_read(target, tcb + TCB_DTV, &dtv, sizeof dtv) == 0 && dtv != 0 &&
           target_read(target, dtv - DTV_SLOT_BYTES, &slots, sizeof slots) == 0 && slots != 0 &&
           slots < SLOTS_LIMIT;
}

bool arch_tcb_is_single(const struct target *target, uint64_t tcb)
{
    int64_t descriptor = 0;
    uint32_t multiple = 0;
    return !arch_find_descriptor(target, &descriptor) ||
           target_read(target, tcb + (uint64_t)descriptor + DESCRIPTOR_MULTIPLE, &multiple,
                       sizeof multiple) != 0 ||
           multiple == 0;
}

int arch_tcb_set_multiple(const struct target *target, uint64_t tcb)
{
    const uint32_t multiple = 1;
    int64_t descriptor = 0;
    if (!arch_find_descriptor(target, &descriptor))
        return -ENOTSUP;
    return target_write(target, tcb + (uint64_t)descriptor + DESCRIPTOR_MULTIPLE, &multiple,
                        sizeof multiple);
}

static uint64_t find_signal_return(const struct target *target)
{
    // mov x8, #139; svc #0: unwinders know handlers' frames by it
    static const uint8_t signal_return[] = {0x68, 0x11, 0x80, 0xd2, 0x01, 0x00, 0x00, 0xd4};
    for (size_t i = 0; i < target->module_count; i++) {
        if (strstr(target->modules[i].name, "linux-vdso") != NULL)
            return module_find_code(target, &target->modules[i], signal_return,
                                    sizeof signal_return, INSTRUCTION_BYTES);
    }
    return 0;
}

int arch_find_gadgets(const struct target *target, struct arch_gadgets *gadgets,
                      struct failure *failure)
{
    // svc #0; ret, as in getpid
    static const uint8_t call_return[] = {0x01, 0x00, 0x00, 0xd4, 0xc0, 0x03, 0x5f, 0xd6};
    // ldp x29, x30, [sp], #16; ret
    static const uint8_t pop_return[] = {0xfd, 0x7b, 0xc1, 0xa8, 0xc0, 0x03, 0x5f, 0xd6};
    const struct module *libc = target->libc;
    gadgets->system_call_return =
        module_find_code(target, libc, call_return, sizeof call_return, INSTRUCTION_BYTES);
    gadgets->pop_return =
        module_find_code(target, libc, pop_return, sizeof pop_return, INSTRUCTION_BYTES);
    gadgets->signal_return = find_signal_return(target);
    if (gadgets->system_call_return != 0 && gadgets->pop_return != 0 && gadgets->signal_return != 0)
        return 0;
    return failure_set(failure, ENOTSUP,
                       "the C library of process %d (%s) or its vDSO has no code that can be used; "
                       "start the program with `unclosed run` instead",
                       target->pid, target->libc->name);
}
