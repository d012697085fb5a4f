// The code that runs inside the target, aarch64 AAPCS64. Position-independent, copied by helper.c
// into an anonymous page of the target; it refers to nothing outside but through the helper page.
//
//   attach_blob_first   where the raw thread made by clone begins: x19 = helper page, sp = its own
//                       stack. Makes a real thread by pthread_create, then ends.
//   attach_blob_worker  the real thread: makes the calls that the injector asks for, one after the
//                       other; when told to leave, or when nobody has asked for long, it unmaps
//                       all this and ends. Needs no injector to do so.
//   attach_blob_system_call(number, five arguments)  raw system call for the worker.
//
// System call numbers: asm-generic/unistd.h. What the injector writes from outside is loaded with
// acquire, what it waits for is stored with release.
#include "attach/helper_layout.h"

#define SYSTEM_CLOSE 57
#define SYSTEM_EXIT 93
#define SYSTEM_NANOSLEEP 101
#define SYSTEM_SIGPROCMASK 135
#define SYSTEM_PRCTL 167
#define SYSTEM_GETTID 178
#define SYSTEM_MPROTECT 226
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
    mov     x0, x19                     // all but the code, which is the page before, becomes
    ldr     x1, [x19, #HELPER_BYTES]    // writable; until then there is no stack
    sub     x1, x1, #PAGE
    mov     x2, #PROTECTION
    mov     x8, #SYSTEM_MPROTECT
    svc     #0
    cbnz    x0, 2f
    mov     x8, #SYSTEM_GETTID
    svc     #0
    ldr     x1, [x19, #HELPER_TID_ADDRESS]
    str     w0, [x1]
    mov     x29, #0
    mov     x30, #0
    msr     fpcr, xzr                   // the stopped thread's rounding and exception flags are
    msr     fpsr, xzr                   // not ours
    mov     x0, #PRCTL_NAME
    add     x1, x19, #HELPER_NAME
    mov     x8, #SYSTEM_PRCTL
    svc     #0
    mov     x0, #SIGNALS_SET
    add     x1, x19, #HELPER_SIGNALS
    mov     x2, #0
    mov     x3, #SIGNALS_BYTES
    mov     x8, #SYSTEM_SIGPROCMASK
    svc     #0
    ldr     x0, [x19, #HELPER_TCB]
    mov     w1, #1
    ldr     x16, [x19, #HELPER_TLS_INIT]
    blr     x16
    add     x0, x19, #HELPER_THREAD
    mov     x1, #0
    adr     x2, attach_blob_worker
    mov     x3, x19
    ldr     x16, [x19, #HELPER_CREATE]
    blr     x16
    sxtw    x0, w0
    str     x0, [x19, #HELPER_CREATE_RESULT]
    cbnz    x0, 1f
    ldr     x0, [x19, #HELPER_THREAD]
    ldr     x16, [x19, #HELPER_DETACH]
    blr     x16
1:  mov     w1, #1
    add     x0, x19, #HELPER_CREATED
    stlr    w1, [x0]
2:  mov     x0, #0
    mov     x8, #SYSTEM_EXIT
    svc     #0

    .p2align 4
attach_blob_worker:
    hint    #34                         // bti c
    stp     x29, x30, [sp, #-32]!
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    mov     x19, x0
    mov     x0, #PRCTL_NAME
    add     x1, x19, #HELPER_NAME
    mov     x8, #SYSTEM_PRCTL
    svc     #0
    ldr     w20, [x19, #HELPER_PATIENCE]
2:  add     x0, x19, #HELPER_ASKED
    ldar    w1, [x0]
    ldr     w2, [x19, #HELPER_ANSWERED]
    cmp     w1, w2
    b.ne    3f
    add     x0, x19, #HELPER_LEAVE
    ldar    w1, [x0]
    cbnz    w1, 4f
    add     x0, x19, #HELPER_POLL
    mov     x1, #0
    mov     x8, #SYSTEM_NANOSLEEP
    svc     #0
    subs    w20, w20, #1
    b.ne    2b
    b       4f
3:  ldr     x16, [x19, #HELPER_FUNCTION]
    ldp     x0, x1, [x19, #HELPER_ARGUMENTS]
    ldp     x2, x3, [x19, #HELPER_ARGUMENTS+16]
    ldp     x4, x5, [x19, #HELPER_ARGUMENTS+32]
    blr     x16
    str     x0, [x19, #HELPER_RESULT]
    ldr     w1, [x19, #HELPER_ASKED]
    add     x0, x19, #HELPER_ANSWERED
    stlr    w1, [x0]
    ldr     w20, [x19, #HELPER_PATIENCE]
    b       2b
4:  ldr     x0, [x19, #HELPER_CLOSE]
    tbnz    x0, #63, 5f
    mov     x8, #SYSTEM_CLOSE
    svc     #0
5:  ldr     x0, [x19, #HELPER_CLOSE+8]
    tbnz    x0, #63, 6f
    mov     x8, #SYSTEM_CLOSE
    svc     #0
6:  add     x0, x19, #HELPER_FIRST_LIVES // its stack is in the mapping
    ldar    w1, [x0]
    cbz     w1, 7f
    add     x0, x19, #HELPER_POLL
    mov     x1, #0
    mov     x8, #SYSTEM_NANOSLEEP
    svc     #0
    b       6b
7:  ldr     x0, [x19, #HELPER_BASE]      // munmap returns to our caller, in libc, not to here
    ldr     x1, [x19, #HELPER_UNMAP]
    ldr     x16, [x19, #HELPER_MUNMAP]
    ldp     x19, x20, [sp, #16]
    ldp     x29, x30, [sp], #32
    br      x16

    .p2align 4
attach_blob_system_call:
    hint    #34
    mov     x8, x0
    mov     x0, x1
    mov     x1, x2
    mov     x2, x3
    mov     x3, x4
    mov     x4, x5
    mov     x5, #0
    svc     #0
    ret
attach_blob_end:

    .section .note.GNU-stack, "", @progbits
