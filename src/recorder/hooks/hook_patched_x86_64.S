// The wrapper for calls that come through a patched entry, for x86-64.
//
// As the one in hook_x86_64.S, but it leaves all registers as the real function leaves them. Those
// that a function may destroy matter too: a compiler that sees the function knows which ones it
// leaves alone, and keeps values there across the call (GCC: -fipa-ra, part of -O2). What a
// program's own code uses of the vector registers is not known, so all of them are saved, with
// XSAVE, as ld.so does when it binds a function lazily.
#include "recorder/hooks/hook_x86_64.inc"

// Behind struct call: registers that the real function has left, and where the others are.
#define KEPT_RCX CALL_BYTES
#define KEPT_RSI (CALL_BYTES + 8)
#define KEPT_RDI (CALL_BYTES + 16)
#define KEPT_R8 (CALL_BYTES + 24)
#define KEPT_R9 (CALL_BYTES + 32)
#define KEPT_R10 (CALL_BYTES + 40)
#define KEPT_R11 (CALL_BYTES + 48)
#define KEPT_VECTORS (CALL_BYTES + 56)
#define PATCHED_BYTES (CALL_BYTES + 64)

    .text

    .macro save_vectors
    movq KEPT_VECTORS(%rbx), %rcx
    movl hook_vector_mask(%rip), %eax
    xorl %edx, %edx
    xsave64 (%rcx)
    .endm

    .macro restore_vectors
    movq KEPT_VECTORS(%rbx), %rcx
    movl hook_vector_mask(%rip), %eax
    xorl %edx, %edx
    xrstor64 (%rcx)
    .endm

    .macro restore_arguments
    movq 0(%rbx), %rdi
    movq 8(%rbx), %rsi
    movq 16(%rbx), %rdx
    movq 24(%rbx), %rcx
    movq 32(%rbx), %r8
    movq 40(%rbx), %r9
    movq CALL_OTHER+8(%rbx), %r10
    movq KEPT_R11(%rbx), %r11
    movq CALL_OTHER(%rbx), %rax
    .endm

// On entry: (rsp) number of the hook, 8(rsp) the caller's return address, 16(rsp) its stack
// arguments.
    .p2align 4
    .globl wrapper_patched
    .hidden wrapper_patched
    .type wrapper_patched, @function
wrapper_patched:
    .cfi_startproc
    enter_frame PATCHED_BYTES, 64
    movq %r11, KEPT_R11(%rbx)
    note_call
    subq hook_vector_bytes(%rip), %rsp
    movq %rsp, KEPT_VECTORS(%rbx)
    xorl %eax, %eax
    .set offset, 512               // the header, of which XSAVE writes only a part
    .rept 8
    movq %rax, offset(%rsp)
    .set offset, offset + 8
    .endr
    save_vectors
    movq %rbx, %rdi
    call hook_before
    cmpl $HOOK_TAIL, %eax
    jne .Lthrough

    // Tail: everything as it was, and on to the real function. Its address takes the place of the
    // hook's number and is read in the red zone, where no signal handler writes.
    restore_vectors
    movq CALL_TARGET(%rbx), %rax
    movq %rax, 8(%rbp)
    restore_arguments
    .cfi_remember_state
    leave_frame
    jmp *-8(%rsp)
    .cfi_restore_state

.Lthrough:
    copy_stack_arguments .Lcareful
.Lcopied:
    restore_vectors
    restore_arguments
    call *CALL_TARGET(%rbx)
    .globl wrapper_patched_returned
    .hidden wrapper_patched_returned
wrapper_patched_returned:
    movq %rax, CALL_RESULT(%rbx)
    movq %rdx, CALL_RESULT+8(%rbx)
    movq %rcx, KEPT_RCX(%rbx)
    movq %rsi, KEPT_RSI(%rbx)
    movq %rdi, KEPT_RDI(%rbx)
    movq %r8, KEPT_R8(%rbx)
    movq %r9, KEPT_R9(%rbx)
    movq %r10, KEPT_R10(%rbx)
    movq %r11, KEPT_R11(%rbx)
    save_vectors
    movq %rbx, %rdi
    call hook_after
    restore_vectors
    movq KEPT_RCX(%rbx), %rcx
    movq KEPT_RSI(%rbx), %rsi
    movq KEPT_RDI(%rbx), %rdi
    movq KEPT_R8(%rbx), %r8
    movq KEPT_R9(%rbx), %r9
    movq KEPT_R10(%rbx), %r10
    movq KEPT_R11(%rbx), %r11
    movq CALL_RESULT(%rbx), %rax
    movq CALL_RESULT+8(%rbx), %rdx
    .cfi_remember_state
    leave_frame
    ret
    .cfi_restore_state

.Lcareful:
    copy_carefully .Lcopied
    .cfi_endproc
    .size wrapper_patched, . - wrapper_patched

    .section .note.GNU-stack, "", @progbits
