// Whether Ruby's virtual machine is there: see alive.h.
//
// ruby_current_vm_ptr says so. Ruby 3.3 does not export it any more, but it is the first that
// rb_during_gc reads.
#include "recorder/runtimes/ruby/alive.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "recorder/core/loader.h"
#include "recorder/core/peek.h"

static const void *const *machine; // ruby_current_vm_ptr

#if defined(__x86_64__)
// The operand of the first `lea x(%rip), %rax`, or of `mov x(%rip), %rax`, which loads the
// variable's address if `mov (%rax), %rax` follows, and its value otherwise.
static uint64_t read_by(const uint8_t *code, size_t bytes)
{
    enum { LENGTH = 7 };
    static const uint8_t address[] = {0x48, 0x8d, 0x05}, value[] = {0x48, 0x8b, 0x05},
                         follow[] = {0x48, 0x8b, 0x00};
    for (size_t i = 0; i + LENGTH + sizeof follow <= bytes; i++) {
        const uint8_t *at = code + i;
        const bool loads = memcmp(at, value, sizeof value) == 0;
        const bool follows = memcmp(at + LENGTH, follow, sizeof follow) == 0;
        int32_t distance;
        uint64_t operand;
        if (!loads && (memcmp(at, address, sizeof address) != 0 || !follows))
            continue;
        memcpy(&distance, at + sizeof address, sizeof distance);
        operand = (uint64_t)(uintptr_t)at + LENGTH + (uint64_t)(int64_t)distance;
        if (loads && follows && !peek_word(operand, UINT64_MAX, &operand))
            return 0;
        return operand;
    }
    return 0;
}
#else
static uint64_t read_by(const uint8_t *code, size_t bytes)
{
    (void)code;
    (void)bytes;
    return 0; // not known how
}
#endif

bool ruby_alive_find(void)
{
    enum { CODE_BYTES = 24 };
    machine = loader_symbol(RTLD_DEFAULT, "ruby_current_vm_ptr");
    const uint8_t *code = loader_symbol(RTLD_DEFAULT, "rb_during_gc");
    if (!machine && code) {
        uint64_t word, address = read_by(code, CODE_BYTES);
        if (address % sizeof word == 0 && address > 4096 && peek_word(address, UINT64_MAX, &word))
            machine = (const void *const *)address; // NOLINT(performance-no-int-to-ptr)
    }
    return machine != NULL;
}

bool ruby_is_alive(void)
{
    return __atomic_load_n(machine, __ATOMIC_ACQUIRE) != NULL;
}
