// The machine code near a patched function, and what the wrapper behind it needs to know of the
// processor.
#ifndef UNCLOSED_RECORDER_HOOKS_PATCH_CODE_H
#define UNCLOSED_RECORDER_HOOKS_PATCH_CODE_H

#define PATCH_CODE_BYTES 128 // for one function, at most
#define PATCH_CODE_MOVED 32  // where the moved instructions begin

#ifndef __ASSEMBLER__

#include <stdbool.h>
#include <stdint.h>

#include "shared/patch_plan.h"

// Finds out which registers there are to save. false: this processor cannot.
bool patch_code_prepare(void);

// Writes the code for `step` to `to`: a stub that enters the wrapper with this number of a hook,
// and the moved instructions. bias: of the function's module. false: `to` is too far away.
bool patch_code_write(uint8_t *to, const struct patch_step *step, uint64_t bias, uint32_t hook);

// The jump from `address` to `code`. false: too far away.
bool patch_code_jump(uint64_t address, const uint8_t *code, uint8_t jump[5]);

#endif
#endif
