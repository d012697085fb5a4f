// Stubs and the one wrapper behind them, for x86-64: see hook.h.
//
// The wrapper calls the real function from a frame of its own, with unwind information: C++
// exceptions, longjmp and thread cancellation pass through it. Arguments that lie on the stack are
// copied, because the real function looks for them above its own return address.
#include "recorder/hooks/hook_x86_64.inc"

    .text

// Each stub pushes its number and jumps to the wrapper. 9 bytes into a stub the number is pushed:
// the unwind expression is that of a PLT, CFA = rsp + 8 + (((rip & 15) >= 9) << 3).
    .p2align 4
    .globl hook_stubs
    .hidden hook_stubs
    .type hook_stubs, @function
hook_stubs:
    .cfi_startproc
    .cfi_escape 0x0f, 11, 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x39, 0x2a, 0x33, 0x24, 0x22
    .set number, 0
    .rept HOOK_STUBS
    endbr64
    .byte 0x68             // push imm32
    .long number
    .byte 0xe9             // jmp rel32
    .long wrapper - . - 4
    .byte 0xcc, 0xcc
    .set number, number + 1
    .endr
    .cfi_endproc
    .size hook_stubs, . - hook_stubs

// The symbols that the dynamic linker finds before those of libsqlite3: stubs in all but name.
    .set exported, 0
    .macro export name
    .p2align 4
    .globl \name
    .type \name, @function
\name:
    .cfi_startproc
    endbr64
    .byte 0x68
    .long exported
    .cfi_adjust_cfa_offset 8
    jmp wrapper
    .cfi_endproc
    .size \name, . - \name
    .set exported, exported + 1
    .endm
    // The order is that of `exported` in got.c; they have the first stub numbers.
    export sqlite3_open
    export sqlite3_open_v2
    export sqlite3_open16
    export sqlite3_close
    export sqlite3_close_v2

    .macro restore_arguments base
    movq 0(\base), %rdi
    movq 8(\base), %rsi
    movq 16(\base), %rdx
    movq 24(\base), %rcx
    movq 32(\base), %r8
    movq 40(\base), %r9
    movq CALL_OTHER+8(\base), %r10
    movaps CALL_VECTOR(\base), %xmm0
    movaps CALL_VECTOR+16(\base), %xmm1
    movaps CALL_VECTOR+32(\base), %xmm2
    movaps CALL_VECTOR+48(\base), %xmm3
    movaps CALL_VECTOR+64(\base), %xmm4
    movaps CALL_VECTOR+80(\base), %xmm5
    movaps CALL_VECTOR+96(\base), %xmm6
    movaps CALL_VECTOR+112(\base), %xmm7
    movq CALL_OTHER(\base), %rax     // al: number of vector registers of a variadic call
    .endm

// On entry: (rsp) stub number, 8(rsp) the caller's return address, 16(rsp) its stack arguments.
    .p2align 4
    .globl wrapper
    .hidden wrapper
    .type wrapper, @function
wrapper:
    .cfi_startproc
    enter_frame CALL_BYTES, 16
    movaps %xmm0, CALL_VECTOR(%rbx)
    movaps %xmm1, CALL_VECTOR+16(%rbx)
    movaps %xmm2, CALL_VECTOR+32(%rbx)
    movaps %xmm3, CALL_VECTOR+48(%rbx)
    movaps %xmm4, CALL_VECTOR+64(%rbx)
    movaps %xmm5, CALL_VECTOR+80(%rbx)
    movaps %xmm6, CALL_VECTOR+96(%rbx)
    movaps %xmm7, CALL_VECTOR+112(%rbx)
    note_call
    movq %rbx, %rdi
    call hook_before
    cmpl $HOOK_BARE, %eax
    je .Lcopied
    ja .Ldisguise
    cmpl $HOOK_THROUGH, %eax
    je .Lthrough

    // Tail: everything as it was, and on to the real function.
    movq CALL_TARGET(%rbx), %r11
    restore_arguments %rbx
    .cfi_remember_state
    leave_frame
    jmp *%r11
    .cfi_restore_state

.Lthrough:
    copy_stack_arguments .Lcareful
.Lcopied:
    restore_arguments %rbx
    call *CALL_TARGET(%rbx)
    .globl wrapper_returned
    .hidden wrapper_returned
wrapper_returned:
    movq %rax, CALL_RESULT(%rbx)
    movq %rdx, CALL_RESULT+8(%rbx)
    movaps %xmm0, CALL_RESULT_VECTOR(%rbx)
    movaps %xmm1, CALL_RESULT_VECTOR+16(%rbx)
    movq %rbx, %rdi
    call hook_after
    movq CALL_RESULT(%rbx), %rax
    movq CALL_RESULT+8(%rbx), %rdx
    movaps CALL_RESULT_VECTOR(%rbx), %xmm0
    movaps CALL_RESULT_VECTOR+16(%rbx), %xmm1
    .cfi_remember_state
    leave_frame
    ret
    .cfi_restore_state

.Lcareful:
    copy_carefully .Lcopied

    // The real function is to take the program for its caller: its return address is that of a
    // `ret` in the caller's module, and the next one is ours.
.Ldisguise:
    restore_arguments %rbx
    subq $8, %rsp
    leaq .Lreturned_disguised(%rip), %r11
    pushq %r11
    pushq CALL_GADGET(%rbx)
    movq CALL_TARGET(%rbx), %r11
    jmp *%r11
.Lreturned_disguised:
    addq $8, %rsp
    jmp wrapper_returned
    .cfi_endproc
    .size wrapper, . - wrapper

// sqlite3_step(statement) is called for each row, and only what ends without one is of interest.
    .p2align 4
    .globl hook_step_stubs
    .hidden hook_step_stubs
    .type hook_step_stubs, @function
hook_step_stubs:
    .cfi_startproc
    .cfi_escape 0x0f, 11, 0x77, 8, 0x80, 0, 0x3f, 0x1a, 0x39, 0x2a, 0x33, 0x24, 0x22
    .set number, 0
    .rept HOOK_STUBS
    endbr64
    .byte 0x68                     // push imm32
    .long number * HOOK_BYTES
    .byte 0xe9                     // jmp rel32
    .long wrapper_step - . - 4
    .byte 0xcc, 0xcc
    .set number, number + 1
    .endr
    .cfi_endproc
    .size hook_step_stubs, . - hook_step_stubs

// On entry: (rsp) offset of the hook, 8(rsp) the caller's return address.
#define ROW 100                    // SQLITE_ROW
    .p2align 4
    .type wrapper_step, @function
wrapper_step:
    .cfi_startproc
    .cfi_def_cfa_offset 16
    pushq %rdi
    .cfi_def_cfa_offset 24
    subq $8, %rsp                  // and the stack is aligned
    .cfi_def_cfa_offset 32
    movq 16(%rsp), %rax
    leaq hooks(%rip), %r11
    call *HOOK_REAL(%r11,%rax)
    cmpl $ROW, %eax
    jne .Lended
    addq $24, %rsp
    .cfi_remember_state
    .cfi_def_cfa_offset 8
    ret
    .cfi_restore_state
.Lended:
    movl %eax, (%rsp)
    leaq hooks(%rip), %rdi
    addq 16(%rsp), %rdi
    movq 8(%rsp), %rsi
    call hook_stepped
    movl (%rsp), %eax
    addq $24, %rsp
    .cfi_def_cfa_offset 8
    ret
    .cfi_endproc
    .size wrapper_step, . - wrapper_step

    .section .note.GNU-stack, "", @progbits
