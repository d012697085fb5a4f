// What differs between processors: registers, system call conventions, the signal frame, the thread
// control block. One implementation is compiled: attach_x86_64.c or attach_aarch64.c, each with a
// header of its own for types and sizes:
//
//   ARCH_VECTOR_BYTES     of a thread's floating point and vector registers, at most
//   ARCH_FRAME_BYTES      of a signal frame with all of these, at most
//   ARCH_PTHREAD_BYTES    reserved for the thread descriptor
//   ARCH_DWARF_REGISTERS  see arch_dwarf_registers
//   ARCH_TLS_ABOVE        where static TLS is: above the thread pointer, with the descriptor below
//                         it, or else the other way round
//   ARCH_CALL_STOP_HIDES  at a stop at a system call some registers cannot be read
//   struct arch_registers general registers and whatever else a thread needs to go on
//   struct arch_gadgets   places in the target's libc or vDSO that exist anyway, found once per
//                         target
#ifndef UNCLOSED_ATTACH_ARCH_H
#define UNCLOSED_ATTACH_ARCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "attach/target.h"

#if defined(__x86_64__)
#include "attach/arch_x86_64.h"
#elif defined(__aarch64__)
#include "attach/arch_aarch64.h"
#else
#error "attaching is not written for this processor"
#endif

// The system call that a thread was waiting in before it was asked to stop, as /proc tells it.
// Where a stopped thread's registers do not tell it any more, they are compared with this.
struct arch_wait {
    long number;
    uint64_t arguments[6];
    uint64_t stack_pointer, program_counter; // behind the system call instruction
};

// What a stopped thread had: enough to let it go on as if nothing had happened.
struct arch_state {
    struct arch_registers registers;
    struct arch_wait wait;
    uint64_t signals; // blocked ones
    size_t vector_bytes;
    uint8_t vector[ARCH_VECTOR_BYTES];
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
int arch_read_registers(pid_t tid, struct arch_registers *registers);
int arch_write_registers(pid_t tid, const struct arch_registers *registers);

// All of it but `wait`. -EAGAIN: it has something now that cannot be put aside.
int arch_read_state(pid_t tid, struct arch_state *state);

// To be called before a thread is asked to stop.
void arch_note_wait(pid_t pid, pid_t tid, struct arch_wait *wait);

// Gives a thread back what system calls do to its vector registers. Result: 0 or -errno.
int arch_write_vectors(pid_t tid, const struct arch_state *state);

uint64_t arch_program_counter(const struct arch_registers *registers);
uint64_t arch_stack_pointer(const struct arch_registers *registers);
uint64_t arch_thread_pointer(const struct arch_registers *registers);
uint64_t arch_link_register(const struct arch_registers *registers); // 0: there is none
uint64_t arch_result(const struct arch_registers *registers);

// The registers as DWARF numbers them, the first `ARCH_DWARF_REGISTERS` at most, with the program
// counter in *counter. Result: their number.
unsigned arch_dwarf_registers(const struct arch_registers *registers,
                              uint64_t values[ARCH_DWARF_REGISTERS], uint64_t *counter);

// Number of the system call that the thread is in or coming from, or -1.
long arch_system_call(const struct arch_registers *registers);

// Whether that call was interrupted by our stop and would block again when restarted.
bool arch_is_blocked(const struct arch_registers *registers, const struct arch_wait *wait);

// Whether the thread runs code of this architecture (not that of a 32-bit one).
bool arch_is_native(const struct arch_registers *registers);

// A call that was interrupted once already is restart_syscall now, which a thread that restores
// itself cannot issue: returning from a signal ends it with EINTR. Puts the call's own number in
// its place, if the code in front of it tells.
void arch_name_restarted(const struct target *target, struct arch_registers *registers);

// A code address without what may be in its upper bits (pointer authentication).
uint64_t arch_plain_address(uint64_t word);

// Whether there is a signal handler's frame where a stack holds what handlers return to: words[0],
// with `count` words that could be read from there on. A struct sigaction holds that address, too.
bool arch_is_signal_frame(const uint64_t *words, size_t count);

// Some system calls answer EINTR to a stop that was no signal of theirs, or would begin their time
// anew. Makes the thread issue the call again, for what is left of it. To be used only if no signal
// is pending for it. Result: whether it was such a call.
bool arch_reissue_interrupted(struct arch_registers *registers, const struct arch_wait *wait);

// Builds the frame that restores `state`, below `top` (for a thread's own stack: its stack pointer;
// what the ABI lets functions keep below it is left alone). A system call that was interrupted is
// issued again by it.
void arch_build_frame(const struct arch_state *state, const struct arch_gadgets *gadgets,
                      uint64_t top, struct arch_frame *frame);

// Makes `registers` issue a system call and then, if nobody stops it, return into `frame`.
void arch_prepare_call(struct arch_registers *registers, const struct arch_gadgets *gadgets,
                       uint64_t frame, long number, const uint64_t arguments[6]);

// Makes `registers` issue a clone like that; the new thread begins at `entry` with `data` where
// the code in the blob expects it. `stack_words`: what has to be stored at *stack.
void arch_prepare_clone(struct arch_registers *registers, const struct arch_gadgets *gadgets,
                        uint64_t frame, uint64_t stack, uint64_t entry, uint64_t data, uint64_t tcb,
                        uint64_t lives_address, uint64_t stack_words[2]);

// The thread control block of a raw thread at `tcb`: as that of the thread at `model`, with `dtv`
// (see glibc's dl-tls.h) for `slots` modules. Result: 0 or -errno.
int arch_write_tcb(const struct target *target, uint64_t tcb, uint64_t model, uint64_t dtv,
                   uint64_t slots);

// Where the thread descriptor (glibc's struct pthread) is, from the thread pointer on. Result:
// whether it is known.
bool arch_find_descriptor(const struct target *target, int64_t *offset);

// Whether the thread pointer `tcb` is one that glibc made.
bool arch_tcb_is_valid(const struct target *target, uint64_t tcb);

// Of glibc before 2.32: whether the thread believes that there is no other one, and telling it that
// there is.
bool arch_tcb_is_single(const struct target *target, uint64_t tcb);
int arch_tcb_set_multiple(const struct target *target, uint64_t tcb);

extern const uint16_t arch_elf_machine;
extern const char arch_name[];

#endif
