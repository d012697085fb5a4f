// What differs between processors: registers, system call conventions, the signal frame, the thread
// control block. One implementation is compiled: attach_x86_64.c.
#ifndef UNCLOSED_ATTACH_ARCH_H
#define UNCLOSED_ATTACH_ARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/user.h>

#include "attach/target.h"

enum {
    ARCH_VECTOR_BYTES = 16384, // of a thread's floating point and vector registers, at most
    ARCH_FRAME_BYTES = 0x5000, // of a signal frame with all of these, at most
    ARCH_DWARF_REGISTERS = 34,
    ARCH_PTHREAD_BYTES = 0x2000, // reserved for the thread descriptor, from the thread pointer on
};

// What a stopped thread had: enough to let it go on as if nothing had happened.
struct arch_state {
    struct user_regs_struct registers;
    uint64_t signals; // blocked ones
    size_t vector_bytes;
    uint8_t vector[ARCH_VECTOR_BYTES];
};

// Places in the target's libc that exist anyway, found once per target.
struct arch_gadgets {
    uint64_t system_call_return; // a system call instruction and a return right behind it
    uint64_t signal_return;      // what signal handlers return to
};

// A signal frame: its address in the target and its bytes. Returning into it makes the kernel
// restore everything in it.
struct arch_frame {
    uint64_t address;
    size_t bytes;
    uint8_t data[ARCH_FRAME_BYTES];
};

// Result: 0, or -errno with *failure filled in.
int arch_find_gadgets(const struct target *target, struct arch_gadgets *gadgets,
                      struct failure *failure);

// Registers of a thread that is in a ptrace stop. Result: 0 or -errno.
int arch_read_registers(pid_t tid, struct user_regs_struct *registers);
int arch_write_registers(pid_t tid, const struct user_regs_struct *registers);
int arch_read_state(pid_t tid, struct arch_state *state); // all of it

uint64_t arch_program_counter(const struct user_regs_struct *registers);
uint64_t arch_stack_pointer(const struct user_regs_struct *registers);
uint64_t arch_thread_pointer(const struct user_regs_struct *registers);
uint64_t arch_result(const struct user_regs_struct *registers);

// The registers as DWARF numbers them, the first `ARCH_DWARF_REGISTERS` at most, with the program
// counter in *counter. Result: their number.
unsigned arch_dwarf_registers(const struct user_regs_struct *registers,
                              uint64_t values[ARCH_DWARF_REGISTERS], uint64_t *counter);

// Number of the system call that the thread is in or coming from, or -1.
long arch_system_call(const struct user_regs_struct *registers);

// Whether that call was interrupted by our stop and would block again when restarted.
bool arch_is_blocked(const struct user_regs_struct *registers);

// Whether the thread runs code of this architecture (not that of a 32-bit one).
bool arch_is_native(const struct user_regs_struct *registers);

// Some system calls answer EINTR to a stop that was no signal of theirs. Makes the thread issue the
// call again. To be used only if no signal is pending for it. Result: whether it was such a call.
bool arch_reissue_interrupted(struct user_regs_struct *registers);

// Builds the frame that restores `state`, below `top` (for a thread's own stack: its stack pointer;
// what the ABI lets functions keep below it is left alone). A system call that was interrupted is
// issued again by it.
void arch_build_frame(const struct arch_state *state, const struct arch_gadgets *gadgets,
                      uint64_t top, struct arch_frame *frame);

// Makes `registers` issue a system call and then, if nobody stops it, return into `frame`.
void arch_prepare_call(struct user_regs_struct *registers, const struct arch_gadgets *gadgets,
                       uint64_t frame, long number, const uint64_t arguments[6]);

// Makes `registers` issue a clone like that; the new thread begins at `entry` with `data` where
// the code in the blob expects it. `stack_word`: what has to be stored at *stack.
void arch_prepare_clone(struct user_regs_struct *registers, const struct arch_gadgets *gadgets,
                        uint64_t frame, uint64_t stack, uint64_t entry, uint64_t data, uint64_t tcb,
                        uint64_t lives_address, uint64_t *stack_word);

// The thread control block of a raw thread at `tcb`: as that of the thread at `model`, with `dtv`
// (see glibc's dl-tls.h) for `slots` modules. Result: 0 or -errno.
int arch_write_tcb(const struct target *target, uint64_t tcb, uint64_t model, uint64_t dtv,
                   uint64_t slots);

// Whether the thread pointer `tcb` is one that glibc made.
bool arch_tcb_is_valid(const struct target *target, uint64_t tcb);

// Of glibc before 2.32: whether the thread believes that there is no other one, and telling it that
// there is.
bool arch_tcb_is_single(const struct target *target, uint64_t tcb);
int arch_tcb_set_multiple(const struct target *target, uint64_t tcb);

extern const uint16_t arch_elf_machine;
extern const char arch_name[];

#endif
