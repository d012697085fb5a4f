// aarch64: see registers_x86_64.S for what it is for. int check_registers(unsigned long rounds):
// fills the registers and looks again and again whether all is still there. Result: 0, or the
// number of the group that has changed: 1 general registers, 2 control registers, 3 SVE registers
// (where there are any), 4 SIMD registers.
#define HWCAP 16          // AT_HWCAP of getauxval
#define HWCAP_SVE_BIT 22
#define FRAME 176
#define GENERAL 2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28
#define VECTORS 0,1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17,18,19,20,21,22,23,24,25,26,27,28,29,30

    .arch armv8-a+sve
    .text
    .globl check_registers
    .type check_registers, %function
check_registers:
    stp     x29, x30, [sp, #-FRAME]!
    mov     x29, sp
    stp     x19, x20, [sp, #16]
    stp     x21, x22, [sp, #32]
    stp     x23, x24, [sp, #48]
    stp     x25, x26, [sp, #64]
    stp     x27, x28, [sp, #80]
    stp     d8, d9, [sp, #96]
    stp     d10, d11, [sp, #112]
    stp     d12, d13, [sp, #128]
    stp     d14, d15, [sp, #144]
    str     x0, [sp, #160]
    mov     x0, #HWCAP
    bl      getauxval
    str     x0, [sp, #168]
    mov     x30, #0xc00000             // round towards zero
    msr     fpcr, x30

    // x1 is the seed, xN the seed and N; x0, x30 are for counting and comparing.
    ldr     x1, =0x1122334455667788
    .irp n, GENERAL
    add     x\n, x1, #\n
    .endr
    ldr     x0, [sp, #168]
    tbnz    x0, #HWCAP_SVE_BIT, .Lfill_scalable
    .irp n, VECTORS
    add     x30, x1, #\n
    dup     v\n\().2d, x30
    .endr
    b       .Lfilled
.Lfill_scalable:
    ptrue   p0.b
    ptrue   p2.h
    pfalse  p1.b
    .irp n, VECTORS
    add     x30, x1, #\n
    index   z\n\().d, x30, #1
    .endr
.Lfilled:
    ldr     x0, [sp, #160]

.Lround:
    ldr     x30, =0x1122334455667788
    cmp     x30, x1
    b.ne    .Lgeneral
    .irp n, GENERAL
    sub     x30, x\n, x1
    cmp     x30, #\n
    b.ne    .Lgeneral
    .endr
    mrs     x30, fpcr
    cmp     x30, #0xc00000
    b.ne    .Lcontrol
    ldr     x30, [sp, #168]
    tbnz    x30, #HWCAP_SVE_BIT, .Lscalable
    .irp n, VECTORS
    umov    x30, v\n\().d[1]
    sub     x30, x30, x1
    cmp     x30, #\n
    b.ne    .Lsimd
    .endr
    b       .Lnext
.Lscalable:
    .irp n, VECTORS
    add     x30, x1, #\n
    index   z31.d, x30, #1
    cmpne   p15.d, p0/z, z\n\().d, z31.d
    b.any   .Lscalable_changed
    .endr
    cntp    x30, p0, p1.b
    cbnz    x30, .Lscalable_changed
    cntp    x30, p0, p2.h
    cmp     x30, #1
    b.ls    .Lscalable_changed
.Lnext:
    subs    x0, x0, #1
    b.ne    .Lround
    b       .Lend
.Lgeneral:
    mov     x0, #1
    b       .Lend
.Lcontrol:
    mov     x0, #2
    b       .Lend
.Lscalable_changed:
    mov     x0, #3
    b       .Lend
.Lsimd:
    mov     x0, #4
.Lend:
    msr     fpcr, xzr
    ldp     x19, x20, [sp, #16]
    ldp     x21, x22, [sp, #32]
    ldp     x23, x24, [sp, #48]
    ldp     x25, x26, [sp, #64]
    ldp     x27, x28, [sp, #80]
    ldp     d8, d9, [sp, #96]
    ldp     d10, d11, [sp, #112]
    ldp     d12, d13, [sp, #128]
    ldp     d14, d15, [sp, #144]
    ldp     x29, x30, [sp], #FRAME
    ret
    .size check_registers, . - check_registers

    .section .note.GNU-stack, "", %progbits
