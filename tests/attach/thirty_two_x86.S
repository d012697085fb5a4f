// A 32-bit program without any library that waits: system call 29 is pause there.
    .text
    .globl _start
_start:
    movl    $29, %eax
    int     $0x80
    jmp     _start
    .section .note.GNU-stack, "", @progbits
