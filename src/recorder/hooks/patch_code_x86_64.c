// See patch_code.h. Source: Intel SDM volume 1 chapter 13 (XSAVE), volume 2 (encodings).
#include "recorder/hooks/patch_code.h"

#include <cpuid.h>
#include <string.h>

#include "recorder/hooks/stubs.h"

// The registers saved around the wrapper: which (as XSAVE counts them), and how many bytes. Read by
// hook_patched_x86_64.S.
extern uint32_t hook_vector_mask;
extern uint64_t hook_vector_bytes;
uint32_t hook_vector_mask;
uint64_t hook_vector_bytes;

enum {
    // SSE with MXCSR, AVX, and the three of AVX-512. Not: x87 and AMX, which nothing that we call
    // uses, and protection keys, which belong to the thread.
    STATES = 0xe6,
    LEGACY_AND_HEADER = 512 + 64,
    OSXSAVE = 1 << 27,
};

static uint32_t enabled_states(void)
{
    uint32_t low, high;
    __asm__ volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
    return low;
}

bool patch_code_prepare(void)
{
    unsigned a, b, c, d;
    if (hook_vector_mask != 0)
        return true;
    if (!__get_cpuid(1, &a, &b, &c, &d) || !(c & OSXSAVE))
        return false;
    const uint32_t mask = enabled_states() & STATES;
    uint64_t bytes = LEGACY_AND_HEADER;
    for (unsigned i = 2; i < 8; i++) {
        if (!(mask & 1U << i))
            continue;
        if (!__get_cpuid_count(0xd, i, &a, &b, &c, &d) || a == 0)
            return false;
        if ((uint64_t)a + b > bytes) // size and offset
            bytes = (uint64_t)a + b;
    }
    hook_vector_bytes = (bytes + 63) & ~UINT64_C(63);
    hook_vector_mask = mask;
    return true;
}

static bool put_distance(uint8_t *to, uint64_t from, uint64_t target)
{
    const int64_t distance = (int64_t)(target - from);
    const int32_t narrow = (int32_t)distance;
    memcpy(to, &narrow, sizeof narrow);
    return narrow == distance;
}

static uint64_t address_of(const uint8_t *code)
{
    return (uint64_t)(uintptr_t)code;
}

bool patch_code_write(uint8_t *to, const struct patch_step *step, uint64_t bias, uint32_t hook)
{
    static const uint8_t endbr64[] = {0xf3, 0x0f, 0x1e, 0xfa};
    const uint64_t wrapper = (uint64_t)(uintptr_t)hook_code.patched;
    uint8_t *at = to;
    bool fits = true;
    memset(to, 0xcc, PATCH_CODE_BYTES);
    *at++ = 0x68; // push imm32
    memcpy(at, &hook, sizeof hook);
    at += sizeof hook;
    memcpy(at, "\xff\x25\0\0\0", 6); // jmp *(%rip): no register is ours
    memcpy(at + 6, &wrapper, sizeof wrapper);
    at = to + PATCH_CODE_MOVED;
    memcpy(at, endbr64, sizeof endbr64); // the wrapper gets here by its address
    at += sizeof endbr64;
    memcpy(at, step->code, step->bytes);
    for (int i = 0; i < step->fixup_count; i++)
        fits &= put_distance(at + step->fixups[i].at, address_of(at) + step->fixups[i].end,
                             bias + step->fixups[i].target);
    at += step->bytes;
    if (!step->ends) {
        *at = 0xe9; // jmp rel32
        fits &= put_distance(at + 1, address_of(at) + 5,
                             bias + step->function + step->skipped + step->displaced);
    }
    return fits;
}

bool patch_code_jump(uint64_t address, const uint8_t *code, uint8_t jump[5])
{
    jump[0] = 0xe9;
    return put_distance(jump + 1, address + 5, address_of(code));
}
