// aarch64: see arch.h. Procedure Call Standard for the Arm 64-bit Architecture (AAPCS64); the Arm
// ARM for the instructions' encodings.
#ifndef UNCLOSED_RECORDER_CORE_ARCH_AARCH64_H
#define UNCLOSED_RECORDER_CORE_ARCH_AARCH64_H

#define ARCH_ARGUMENTS 8      // x0 to x7
#define ARCH_RESULT_VECTORS 4 // q0 to q3
#define CALL_OTHER 64         // x8: where a struct that is returned in memory goes
#define CALL_VECTOR 80        // q0 to q7
#define CALL_TARGET 208
#define CALL_GADGET 216
#define CALL_RESULT 224
#define CALL_RESULT_VECTOR 240
#define CALL_INDEX 304
#define CALL_RETURN 312
#define CALL_FRAME 320
#define CALL_BYTES 512
#define CALL_RETURN_SLOT 1 // above the saved x29: a frame record

#define ARCH_RELOCATION_JUMP_SLOT R_AARCH64_JUMP_SLOT
#define ARCH_RELOCATION_GLOB_DAT R_AARCH64_GLOB_DAT
#define ARCH_RELOCATION_ABSOLUTE R_AARCH64_ABS64

// The frame record is below a function's variables: not that, but its caller's stack pointer.
#define ARCH_STACK_TOP() ((uint64_t)(uintptr_t)__builtin_dwarf_cfa())
#define ARCH_FRAME_REGISTER UNW_AARCH64_X29
#define ARCH_LINK_REGISTER UNW_AARCH64_X30
#define ARCH_CONTEXT_INLINE

// unw_backtrace of libunwind 1.6.2 reads memory that is not there when a signal has interrupted a
// function that has not saved its return address (src/aarch64/Gtrace.c keeps the one of the signal
// frame for a later function). Seen to crash; unw_step is right, and takes longer.
#define ARCH_UNWINDS_FAST 0
#define ARCH_RETURN_ADDRESS(address) (address)
#define ARCH_SAVED_ADDRESS(word) arch_saved_address(word)

#ifndef __ASSEMBLER__

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

// Functions built with -mbranch-protection sign the return address that they save (paciasp).
static inline uint64_t arch_saved_address(uint64_t word)
{
    register uint64_t address __asm__("x30") = word;
    __asm__("hint #7" : "+r"(address)); // xpaclri: takes the signature away; older ones do nothing
    return address;
}

static inline bool arch_has_shadow_stack(void)
{
    register uint64_t features __asm__("x16") = 1; // guarded control stack
    __asm__ volatile("hint #40" : "+r"(features)); // chkfeat x16: clears what is switched on
    return features == 0;
}

// `stp x16, x30, [sp, #-16]!`, the head of all.
static inline bool arch_is_lazy_stub(const unsigned char *code)
{
    static const unsigned char bti[] = {0x5f, 0x24, 0x03, 0xd5};
    static const unsigned char head[] = {0xf0, 0x7b, 0xbf, 0xa9};
    if (memcmp(code, bti, sizeof bti) == 0)
        code += sizeof bti;
    return memcmp(code, head, sizeof head) == 0;
}

// `ret` alone would jump to where it is, for that is what the link register says. So it is
//     ldp x29, x30, [sp], #16
//     ret
// the end of most functions that only call others; it takes our frame record off the stack. The
// first one of a module is mostly that of _init, which has no unwind information. 0: there is none.
static inline uint64_t arch_find_return(const unsigned char *text, size_t bytes)
{
    static const unsigned char end[] = {0xfd, 0x7b, 0xc1, 0xa8, 0xc0, 0x03, 0x5f, 0xd6};
    const unsigned char *at = text, *past = text + bytes;
    uint64_t found = 0;
    for (int count = 0; count < 2; at += 4) {
        at = memmem(at, (size_t)(past - at), end, sizeof end);
        if (!at)
            break;
        at = (const unsigned char *)((uintptr_t)at & ~(uintptr_t)3); // NOLINT
        if (memcmp(at, end, sizeof end) != 0)
            continue; // not an instruction's address
        found = (uint64_t)(uintptr_t)at;
        count++;
    }
    return found;
}

#endif
#endif
