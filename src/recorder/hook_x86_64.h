// What the two wrappers for x86-64 have in common (hook_x86_64.S, hook_patched_x86_64.S): macros for
// the assembler. On entry of both: (rsp) a number, 8(rsp) the caller's return address, 16(rsp) its
// stack arguments.
#ifndef UNCLOSED_HOOK_X86_64_H
#define UNCLOSED_HOOK_X86_64_H

#include "recorder/hook.h"

    // A frame with room for `bytes`, a struct call first, at rbx.
    .macro enter_frame bytes, alignment
    .cfi_def_cfa_offset 16
    pushq %rbp
    .cfi_def_cfa_offset 24
    .cfi_offset %rbp, -24
    movq %rsp, %rbp
    .cfi_def_cfa %rbp, 24
    pushq %rbx
    .cfi_offset %rbx, -32
    subq $\bytes, %rsp
    andq $-\alignment, %rsp
    movq %rsp, %rbx
    movq %rdi, 0(%rbx)
    movq %rsi, 8(%rbx)
    movq %rdx, 16(%rbx)
    movq %rcx, 24(%rbx)
    movq %r8, 32(%rbx)
    movq %r9, 40(%rbx)
    movq %rax, CALL_OTHER(%rbx)
    movq %r10, CALL_OTHER+8(%rbx)
    .endm

    // Which call it is. Overwrites rax.
    .macro note_call
    movq 8(%rbp), %rax
    movq %rax, CALL_INDEX(%rbx)
    movq 16(%rbp), %rax
    movq %rax, CALL_RETURN(%rbx)
    movq %rbp, CALL_FRAME(%rbx)
    .endm

    // Leaves the frame and the number behind: (rsp) is the caller's return address.
    .macro leave_frame
    movq -8(%rbp), %rbx
    movq %rbp, %rsp
    popq %rbp
    .cfi_restore %rbp
    .cfi_restore %rbx
    .cfi_def_cfa %rsp, 16
    leaq 8(%rsp), %rsp
    .cfi_def_cfa_offset 8
    .endm

    // The caller's stack arguments, to where a function that is called next looks for them. They
    // may run into a page that is not there, on a small stack of a coroutine: `careful` is where
    // copy_carefully is.
    .macro copy_stack_arguments careful
    subq $HOOK_STACK_BYTES, %rsp
    leaq 24(%rbp), %rsi
    movl %esi, %eax
    andl $4095, %eax
    cmpl $(4096 - HOOK_STACK_BYTES), %eax
    ja \careful
    .set offset, 0
    .rept HOOK_STACK_BYTES / 16
    movups offset(%rsi), %xmm0
    movaps %xmm0, offset(%rsp)
    .set offset, offset + 16
    .endr
    .endm

    .macro copy_carefully copied
    movq %rsi, %rdi
    call hook_readable             // rax: bytes, a multiple of 8
    xorl %ecx, %ecx
    leaq 24(%rbp), %rsi
.Lcopy:
    cmpq %rax, %rcx
    jae \copied
    movq (%rsi,%rcx), %rdx
    movq %rdx, (%rsp,%rcx)
    addq $8, %rcx
    jmp .Lcopy
    .endm

#endif
