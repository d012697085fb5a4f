// Stubs and the one wrapper behind them, for aarch64: see hook.h.
//
// The wrapper calls the real function from a frame of its own, with unwind information: C++
// exceptions, longjmp and thread cancellation pass through it. Arguments that lie on the stack are
// copied, because the real function looks for them where its caller's stack pointer is.
//
// x16 and x17 are free at the entry of a function: the procedure linkage table uses them, too. They
// are also what a `bti c` lets a jump come from.
#include "recorder/hooks/hook.h"

    .text

    // Where a call or a jump by register may arrive: `bti c`, nothing on older processors.
    .macro landing_pad
    hint #34
    .endm

    .p2align 4
    .globl hook_stubs
    .hidden hook_stubs
    .type hook_stubs, @function
hook_stubs:
    .cfi_startproc
    .set number, 0
    .rept HOOK_STUBS
    landing_pad
    movz w16, #number
    b wrapper
    .inst 0                        // not an instruction
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
    landing_pad
    movz w16, #exported
    b wrapper
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

    .macro restore_arguments
    ldp x0, x1, [x19]
    ldp x2, x3, [x19, #16]
    ldp x4, x5, [x19, #32]
    ldp x6, x7, [x19, #48]
    ldr x8, [x19, #CALL_OTHER]
    ldp q0, q1, [x19, #CALL_VECTOR]
    ldp q2, q3, [x19, #CALL_VECTOR+32]
    ldp q4, q5, [x19, #CALL_VECTOR+64]
    ldp q6, q7, [x19, #CALL_VECTOR+96]
    .endm

// On entry: w16 stub number, x30 the caller's return address, (sp) its stack arguments. The frame:
// x29 -> x29, x30 (a frame record), x19, 8 bytes, then what was (sp).
#define FRAME_BYTES 32
    .p2align 4
    .globl wrapper
    .hidden wrapper
    .type wrapper, @function
wrapper:
    .cfi_startproc
    stp x29, x30, [sp, #-FRAME_BYTES]!
    .cfi_def_cfa_offset FRAME_BYTES
    .cfi_offset x29, -FRAME_BYTES
    .cfi_offset x30, -FRAME_BYTES + 8
    mov x29, sp
    .cfi_def_cfa x29, FRAME_BYTES
    str x19, [x29, #16]
    .cfi_offset x19, -FRAME_BYTES + 16
    sub sp, sp, #CALL_BYTES
    mov x19, sp                    // the struct call
    stp x0, x1, [x19]
    stp x2, x3, [x19, #16]
    stp x4, x5, [x19, #32]
    stp x6, x7, [x19, #48]
    str x8, [x19, #CALL_OTHER]
    stp q0, q1, [x19, #CALL_VECTOR]
    stp q2, q3, [x19, #CALL_VECTOR+32]
    stp q4, q5, [x19, #CALL_VECTOR+64]
    stp q6, q7, [x19, #CALL_VECTOR+96]
    str x16, [x19, #CALL_INDEX]
    str x30, [x19, #CALL_RETURN]
    str x29, [x19, #CALL_FRAME]
    mov x0, x19
    bl hook_before
    cmp w0, #HOOK_BARE
    b.eq .Lcopied
    b.hi .Ldisguise
    cmp w0, #HOOK_THROUGH
    b.eq .Lthrough

    // Tail: everything as it was, and on to the real function.
    ldr x16, [x19, #CALL_TARGET]
    restore_arguments
    .cfi_remember_state
    ldr x19, [x29, #16]
    .cfi_restore x19
    mov sp, x29
    .cfi_def_cfa sp, FRAME_BYTES
    ldp x29, x30, [sp], #FRAME_BYTES
    .cfi_restore x29
    .cfi_restore x30
    .cfi_def_cfa_offset 0
    br x16
    .cfi_restore_state

.Lthrough:
    sub sp, sp, #HOOK_STACK_BYTES
    add x9, x29, #FRAME_BYTES      // the caller's stack arguments
    and x10, x9, #4095             // pages are not smaller
    cmp x10, #(4096 - HOOK_STACK_BYTES)
    b.hi .Lcareful
    .set offset, 0
    .rept HOOK_STACK_BYTES / 32
    ldp q0, q1, [x9, #offset]
    stp q0, q1, [sp, #offset]
    .set offset, offset + 32
    .endr
.Lcopied:
    ldr x16, [x19, #CALL_TARGET]
    restore_arguments
    blr x16
    .globl wrapper_returned
    .hidden wrapper_returned
wrapper_returned:
    stp x0, x1, [x19, #CALL_RESULT]
    stp q0, q1, [x19, #CALL_RESULT_VECTOR]
    stp q2, q3, [x19, #CALL_RESULT_VECTOR+32]
    mov x0, x19
    bl hook_after
    ldp x0, x1, [x19, #CALL_RESULT]
    ldp q0, q1, [x19, #CALL_RESULT_VECTOR]
    ldp q2, q3, [x19, #CALL_RESULT_VECTOR+32]
    .cfi_remember_state
    ldr x19, [x29, #16]
    .cfi_restore x19
    mov sp, x29
    .cfi_def_cfa sp, FRAME_BYTES
    ldp x29, x30, [sp], #FRAME_BYTES
    .cfi_restore x29
    .cfi_restore x30
    .cfi_def_cfa_offset 0
    ret
    .cfi_restore_state

    // The arguments may run into a page that is not there: on a small stack of a coroutine.
.Lcareful:
    mov x0, x9
    bl hook_readable               // x0: bytes, a multiple of 8
    add x9, x29, #FRAME_BYTES
    mov x10, #0
.Lcopy:
    cmp x10, x0
    b.hs .Lcopied
    ldr x11, [x9, x10]
    str x11, [sp, x10]
    add x10, x10, #8
    b .Lcopy

    // The real function is to take the program for its caller: it returns to the end of a function
    // in the caller's module, which takes a frame record off the stack that says where we are.
.Ldisguise:
    ldr x16, [x19, #CALL_TARGET]
    restore_arguments
    adr x30, .Lreturned_disguised
    stp x29, x30, [sp, #-16]!
    mov x29, sp
    ldr x30, [x19, #CALL_GADGET]
    br x16
.Lreturned_disguised:
    b wrapper_returned
    .cfi_endproc
    .size wrapper, . - wrapper

    // All landing pads are in place (NT_GNU_PROPERTY_TYPE_0, GNU_PROPERTY_AARCH64_FEATURE_1_BTI).
    .section .note.gnu.property, "a"
    .p2align 3
    .word 4, 16, 5
    .asciz "GNU"
    .word 0xc0000000, 4, 1, 0

    .section .note.GNU-stack, "", @progbits
