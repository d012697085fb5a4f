// aarch64: types and sizes. See arch.h.
#ifndef UNCLOSED_ATTACH_ARCH_AARCH64_H
#define UNCLOSED_ATTACH_ARCH_AARCH64_H

#include <sys/user.h>

enum {
    ARCH_VECTOR_BYTES =
        16384, // those of NT_PRFPREG, then those of NT_ARM_SVE: vectors of 256 bytes
    ARCH_FRAME_BYTES = 0x5000,
    ARCH_PTHREAD_BYTES = 0x2000,
    ARCH_DWARF_REGISTERS = 32,
    ARCH_TLS_ABOVE = 1,
    ARCH_CALL_STOP_HIDES = 1, // x7: syscall_trace_enter in arch/arm64/kernel/ptrace.c
};

struct arch_registers {
    struct user_regs_struct general;
    uint64_t thread_pointer; // tpidr_el0
    long call;               // number of the system call that it stops at, or -1
};

struct arch_gadgets {
    uint64_t system_call_return; // svc #0; ret
    uint64_t signal_return;      // in the vDSO: what signal handlers return to
    uint64_t pop_return;         // ldp x29, x30, [sp], #16; ret
};

#endif
