// The code that runs inside the target, x86-64 System V. Position-independent, copied by helper.c
// into an anonymous page of the target; it refers to nothing outside but through the helper page.
//
//   attach_blob_first   where the raw thread made by clone begins: r12 = helper page, rsp = its own
//                       stack. Makes a real thread by pthread_create, then ends.
//   attach_blob_worker  the real thread: makes the calls that the injector asks for, one after the
//                       other; when told to leave, or when nobody has asked for long, it unmaps
//                       all this and ends. Needs no injector to do so.
//   attach_blob_system_call(number, five arguments)  raw system call for the worker.
//
// System call numbers: asm/unistd_64.h.
#include "attach/helper_layout.h"

#define SYSTEM_CLOSE 3
#define SYSTEM_MPROTECT 10
#define SYSTEM_SIGPROCMASK 14
#define SYSTEM_NANOSLEEP 35
#define SYSTEM_EXIT 60
#define SYSTEM_PRCTL 157
#define SYSTEM_GETTID 186
#define PAGE 4096
#define PROTECTION 3         // PROT_READ | PROT_WRITE
#define SIGNALS_SET 2        // SIG_SETMASK
#define SIGNALS_BYTES 8
#define PRCTL_NAME 15        // PR_SET_NAME

    .text
    .globl attach_blob_begin, attach_blob_end
    .globl attach_blob_first, attach_blob_worker, attach_blob_system_call
    .hidden attach_blob_begin, attach_blob_end
    .hidden attach_blob_first, attach_blob_worker, attach_blob_system_call
    .p2align 4
attach_blob_begin:

attach_blob_first:
    movq    %r12, %rdi                  // all but the code, which is the page before, becomes
    movq    HELPER_BYTES(%r12), %rsi    // writable; until then there is no stack
    subq    $PAGE, %rsi
    movl    $PROTECTION, %edx
    movl    $SYSTEM_MPROTECT, %eax
    syscall
    testq   %rax, %rax
    jnz     2f
    movl    $SYSTEM_GETTID, %eax
    syscall
    movq    HELPER_TID_ADDRESS(%r12), %rdi
    movl    %eax, (%rdi)
    xorl    %ebp, %ebp
    andq    $-16, %rsp
    cld
    fninit                              // the stopped thread's rounding and exception flags are
    ldmxcsr HELPER_MXCSR(%r12)          // not ours
    movl    $SYSTEM_PRCTL, %eax
    movl    $PRCTL_NAME, %edi
    leaq    HELPER_NAME(%r12), %rsi
    syscall
    movl    $SYSTEM_SIGPROCMASK, %eax
    movl    $SIGNALS_SET, %edi
    leaq    HELPER_SIGNALS(%r12), %rsi
    xorl    %edx, %edx
    movl    $SIGNALS_BYTES, %r10d
    syscall
    movq    HELPER_TCB(%r12), %rdi
    movl    $1, %esi
    call    *HELPER_TLS_INIT(%r12)
    leaq    HELPER_THREAD(%r12), %rdi
    xorl    %esi, %esi
    leaq    attach_blob_worker(%rip), %rdx
    movq    %r12, %rcx
    call    *HELPER_CREATE(%r12)
    cltq
    movq    %rax, HELPER_CREATE_RESULT(%r12)
    testq   %rax, %rax
    jnz     1f
    movq    HELPER_THREAD(%r12), %rdi
    call    *HELPER_DETACH(%r12)
1:  movl    $1, HELPER_CREATED(%r12)
2:  movl    $SYSTEM_EXIT, %eax
    xorl    %edi, %edi
    syscall

    .p2align 4
attach_blob_worker:
    endbr64
    pushq   %rbx
    pushq   %rbp
    subq    $8, %rsp
    movq    %rdi, %rbx
    movl    $SYSTEM_PRCTL, %eax
    movl    $PRCTL_NAME, %edi
    leaq    HELPER_NAME(%rbx), %rsi
    syscall
    movl    HELPER_PATIENCE(%rbx), %ebp
2:  movl    HELPER_ASKED(%rbx), %eax
    cmpl    HELPER_ANSWERED(%rbx), %eax
    jne     3f
    cmpl    $0, HELPER_LEAVE(%rbx)
    jne     4f
    movl    $SYSTEM_NANOSLEEP, %eax
    leaq    HELPER_POLL(%rbx), %rdi
    xorl    %esi, %esi
    syscall
    decl    %ebp
    jnz     2b
    jmp     4f
3:  movq    HELPER_FUNCTION(%rbx), %r11
    movq    HELPER_ARGUMENTS(%rbx), %rdi
    movq    HELPER_ARGUMENTS+8(%rbx), %rsi
    movq    HELPER_ARGUMENTS+16(%rbx), %rdx
    movq    HELPER_ARGUMENTS+24(%rbx), %rcx
    movq    HELPER_ARGUMENTS+32(%rbx), %r8
    movq    HELPER_ARGUMENTS+40(%rbx), %r9
    xorl    %eax, %eax
    call    *%r11
    movq    %rax, HELPER_RESULT(%rbx)
    movl    HELPER_ASKED(%rbx), %eax
    movl    %eax, HELPER_ANSWERED(%rbx)
    movl    HELPER_PATIENCE(%rbx), %ebp
    jmp     2b
4:  movq    HELPER_CLOSE(%rbx), %rdi
    testq   %rdi, %rdi
    js      5f
    movl    $SYSTEM_CLOSE, %eax
    syscall
5:  movq    HELPER_CLOSE+8(%rbx), %rdi
    testq   %rdi, %rdi
    js      6f
    movl    $SYSTEM_CLOSE, %eax
    syscall
6:  cmpl    $0, HELPER_FIRST_LIVES(%rbx) // its stack is in the mapping
    je      7f
    movl    $SYSTEM_NANOSLEEP, %eax
    leaq    HELPER_POLL(%rbx), %rdi
    xorl    %esi, %esi
    syscall
    jmp     6b
7:  movq    HELPER_BASE(%rbx), %rdi      // munmap returns to our caller, in libc, not to here
    movq    HELPER_UNMAP(%rbx), %rsi
    movq    HELPER_MUNMAP(%rbx), %rax
    addq    $8, %rsp
    popq    %rbp
    popq    %rbx
    jmp     *%rax

    .p2align 4
attach_blob_system_call:
    endbr64
    movq    %rdi, %rax
    movq    %rsi, %rdi
    movq    %rdx, %rsi
    movq    %rcx, %rdx
    movq    %r8, %r10
    movq    %r9, %r8
    xorl    %r9d, %r9d
    syscall
    ret
attach_blob_end:

    .section .note.GNU-stack, "", @progbits
