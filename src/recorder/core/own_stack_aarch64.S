// own_stack_switch(work, data, top) for aarch64: see own_stack.c. The frame stays on the caller's
// stack, and is found by x29.
    .text
    .p2align 4
    .globl own_stack_switch
    .hidden own_stack_switch
    .type own_stack_switch, %function
own_stack_switch:
    .cfi_startproc
    hint #34                       // bti c
    stp x29, x30, [sp, #-16]!
    .cfi_def_cfa_offset 16
    .cfi_offset x29, -16
    .cfi_offset x30, -8
    mov x29, sp
    .cfi_def_cfa x29, 16
    mov sp, x2
    mov x9, x0
    mov x0, x1
    blr x9
    mov sp, x29
    .cfi_def_cfa sp, 16
    ldp x29, x30, [sp], #16
    .cfi_def_cfa_offset 0
    .cfi_restore x29
    .cfi_restore x30
    ret
    .cfi_endproc
    .size own_stack_switch, . - own_stack_switch

    // All landing pads are in place (NT_GNU_PROPERTY_TYPE_0, GNU_PROPERTY_AARCH64_FEATURE_1_BTI).
    .section .note.gnu.property, "a"
    .p2align 3
    .word 4, 16, 5
    .asciz "GNU"
    .word 0xc0000000, 4, 1, 0

    .section .note.GNU-stack, "", @progbits
