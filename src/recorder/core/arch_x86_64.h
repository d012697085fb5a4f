// x86-64: see arch.h. System V ABI, AMD64 supplement.
#ifndef UNCLOSED_RECORDER_CORE_ARCH_X86_64_H
#define UNCLOSED_RECORDER_CORE_ARCH_X86_64_H

#define ARCH_ARGUMENTS 6      // rdi, rsi, rdx, rcx, r8, r9
#define ARCH_RESULT_VECTORS 2 // xmm0, xmm1
#define CALL_OTHER 48         // rax, r10
#define CALL_VECTOR 64        // xmm0 to xmm7
#define CALL_TARGET 192
#define CALL_GADGET 200
#define CALL_RESULT 208
#define CALL_RESULT_VECTOR 224
#define CALL_INDEX 256
#define CALL_RETURN 264
#define CALL_FRAME 272
#define CALL_BYTES 448
#define CALL_RETURN_SLOT 2 // above the saved rbp and the stub's number

#define ARCH_STEP_STUBS // sqlite3_step has stubs of its own
#define ARCH_PATCHES    // entries of functions can be patched

#define ARCH_RELOCATION_JUMP_SLOT R_X86_64_JUMP_SLOT
#define ARCH_RELOCATION_GLOB_DAT R_X86_64_GLOB_DAT
#define ARCH_RELOCATION_ABSOLUTE R_X86_64_64

// rbp is saved above all else of a function.
#define ARCH_STACK_TOP() ((uint64_t)(uintptr_t)__builtin_frame_address(0))
#define ARCH_FRAME_REGISTER UNW_X86_64_RBP
#define ARCH_UNWINDS_FAST 1
#define ARCH_RETURN_ADDRESS(address) (address)
#define ARCH_SAVED_ADDRESS(word) (word)

#ifndef __ASSEMBLER__

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline bool arch_has_shadow_stack(void)
{
    uint64_t pointer = 0; // rdsspq leaves it alone where there is no shadow stack
    __asm__ volatile("rdsspq %0" : "+r"(pointer));
    return pointer != 0;
}

// `push $NUMBER; jmp` or `push $NUMBER; bnd jmp` (ld, gold, lld), or the head of all (mold):
// `push %r11; push WORD(%rip)`.
static inline bool arch_is_lazy_stub(const unsigned char *code)
{
    static const unsigned char endbr64[] = {0xf3, 0x0f, 0x1e, 0xfa};
    static const unsigned char head[] = {0x41, 0x53, 0xff, 0x35};
    if (memcmp(code, endbr64, sizeof endbr64) == 0)
        code += sizeof endbr64;
    if (memcmp(code, head, sizeof head) == 0)
        return true;
    return code[0] == 0x68 && (code[5] == 0xe9 || (code[5] == 0xf2 && code[6] == 0xe9));
}

// A `ret`; below it on the stack comes our address. One behind `xor %eax,%eax` is best: there the
// unwind information says that the return address is on top of the stack, so that backtraces taken
// below stay right. 0: there is none.
static inline uint64_t arch_find_return(const unsigned char *text, size_t bytes)
{
    const unsigned char *plain = memchr(text, 0xc3, bytes);
    static const unsigned char best[] = {0x31, 0xc0, 0xc3};
    const unsigned char *found = memmem(text, bytes, best, sizeof best);
    return found ? (uint64_t)(uintptr_t)(found + 2) : (uint64_t)(uintptr_t)plain;
}

#endif
#endif
