// x86-64: types and sizes. See arch.h.
#ifndef UNCLOSED_ATTACH_ARCH_X86_64_H
#define UNCLOSED_ATTACH_ARCH_X86_64_H

#include <sys/user.h>

enum {
    ARCH_VECTOR_BYTES = 16384,
    ARCH_FRAME_BYTES = 0x5000,
    ARCH_PTHREAD_BYTES = 0x2000,
    ARCH_DWARF_REGISTERS = 17,
    ARCH_TLS_ABOVE = 0,
    ARCH_CALL_STOP_HIDES = 0,
};

struct arch_registers {
    struct user_regs_struct general;
};

struct arch_gadgets {
    uint64_t system_call_return; // a system call instruction and a return right behind it
    uint64_t signal_return;      // what signal handlers return to
};

#endif
