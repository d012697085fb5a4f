// own_stack_switch(work, data, top) for x86-64: see own_stack.c. The frame stays on the caller's
// stack, and is found by rbp.
    .text
    .p2align 4
    .globl own_stack_switch
    .hidden own_stack_switch
    .type own_stack_switch, @function
own_stack_switch:
    .cfi_startproc
    endbr64
    pushq %rbp
    .cfi_def_cfa_offset 16
    .cfi_offset %rbp, -16
    movq %rsp, %rbp
    .cfi_def_cfa_register %rbp
    movq %rdx, %rsp
    movq %rdi, %rax
    movq %rsi, %rdi
    call *%rax
    leave
    .cfi_def_cfa %rsp, 8
    ret
    .cfi_endproc
    .size own_stack_switch, . - own_stack_switch

    .section .note.GNU-stack, "", @progbits
