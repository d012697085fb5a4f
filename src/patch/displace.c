// See displace.h. Source: Intel SDM volume 2 (encodings of jmp, jcc, the ModRM byte of a
// RIP-relative operand), capstone/x86.h.
#include "patch/displace.h"

#include <capstone/capstone.h>
#include <string.h>

static const uint8_t endbr64[] = {0xf3, 0x0f, 0x1e, 0xfa};

static bool in_group(const cs_insn *instruction, uint8_t group)
{
    for (int i = 0; i < instruction->detail->groups_count; i++)
        if (instruction->detail->groups[i] == group)
            return true;
    return false;
}

static bool append(struct displaced *moved, const uint8_t *bytes, size_t count)
{
    if (moved->bytes + count > sizeof moved->code)
        return false;
    memcpy(moved->code + moved->bytes, bytes, count);
    moved->bytes += (uint8_t)count;
    return true;
}

// The last `after` bytes of what was appended follow a distance to `target`.
static bool add_fixup(struct displaced *moved, size_t after, uint64_t target)
{
    if (moved->fixup_count == DISPLACE_FIXUPS)
        return false;
    moved->fixups[moved->fixup_count++] = (struct displace_fixup){
        .at = (uint8_t)(moved->bytes - after - 4), .end = moved->bytes, .target = target};
    return true;
}

// A jump to a fixed place, in its long form. A prefix (bnd, notrack) is not expected in front.
static bool move_jump(struct displaced *moved, const cs_insn *instruction)
{
    const cs_x86 *x86 = &instruction->detail->x86;
    const uint8_t first = instruction->bytes[0], second = instruction->bytes[1];
    uint8_t code[6] = {0x0f};
    size_t bytes = 6;
    if (x86->op_count != 1 || x86->operands[0].type != X86_OP_IMM)
        return false;
    if (first == 0xeb || first == 0xe9) {
        code[0] = 0xe9;
        bytes = 5;
        moved->ends = true;
    } else if (first >= 0x70 && first <= 0x7f) {
        code[1] = first + 0x10;
    } else if (first == 0x0f && second >= 0x80 && second <= 0x8f) {
        code[1] = second;
    } else {
        return false; // loop, jrcxz, xbegin
    }
    return append(moved, code, bytes) && add_fixup(moved, 0, (uint64_t)x86->operands[0].imm);
}

// An operand in memory that is found by its distance from the instruction.
static const cs_x86_op *find_relative(const cs_insn *instruction)
{
    const cs_x86 *x86 = &instruction->detail->x86;
    for (int i = 0; i < x86->op_count; i++)
        if (x86->operands[i].type == X86_OP_MEM &&
            (x86->operands[i].mem.base == X86_REG_RIP || x86->operands[i].mem.base == X86_REG_EIP))
            return &x86->operands[i];
    return NULL;
}

static bool move_other(struct displaced *moved, const cs_insn *instruction)
{
    const cs_x86 *x86 = &instruction->detail->x86;
    const cs_x86_op *relative = find_relative(instruction);
    if (!append(moved, instruction->bytes, instruction->size))
        return false;
    if (!relative)
        return true;
    const uint8_t at = x86->encoding.disp_offset;
    if (relative->mem.base != X86_REG_RIP || x86->encoding.disp_size != 4 || at == 0 ||
        at + 4 > instruction->size)
        return false;
    int32_t distance = 0;
    memcpy(&distance, instruction->bytes + at, sizeof distance);
    const uint64_t target = instruction->address + instruction->size + (uint64_t)(int64_t)distance;
    return add_fixup(moved, instruction->size - at - 4U, target);
}

static bool move(struct displaced *moved, const cs_insn *instruction)
{
    const bool jumps = in_group(instruction, X86_GRP_JUMP);
    const bool direct = jumps && instruction->detail->x86.op_count == 1 &&
                        instruction->detail->x86.operands[0].type == X86_OP_IMM;
    // What a call leaves on the stack would be an address in memory of ours, about which no
    // unwinder knows anything. What traps or enters the kernel tells where it happened.
    if (in_group(instruction, X86_GRP_CALL) || in_group(instruction, X86_GRP_INT) ||
        in_group(instruction, X86_GRP_IRET) || in_group(instruction, X86_GRP_PRIVILEGE) ||
        instruction->id == X86_INS_SYSCALL || instruction->id == X86_INS_SYSENTER ||
        instruction->id == X86_INS_UD2 || instruction->id == X86_INS_HLT ||
        instruction->id == X86_INS_INT3 || instruction->id == X86_INS_XBEGIN)
        return false;
    if (direct)
        return move_jump(moved, instruction);
    if (!jumps && in_group(instruction, X86_GRP_BRANCH_RELATIVE))
        return false;
    moved->ends = jumps || in_group(instruction, X86_GRP_RET);
    return move_other(moved, instruction);
}

static enum trace_patch displace_with(csh engine, cs_insn *instruction, const uint8_t *text,
                                      size_t size, uint64_t address, struct displaced *moved)
{
    while (moved->displaced < DISPLACE_JUMP_BYTES) {
        const uint8_t *at = text + moved->displaced;
        size_t left = size - moved->displaced;
        uint64_t place = address + moved->displaced;
        if (left == 0 || moved->ends)
            return TRACE_PATCH_SHORT;
        if (!cs_disasm_iter(engine, &at, &left, &place, instruction))
            return TRACE_PATCH_INSTRUCTION;
        if (!move(moved, instruction))
            return TRACE_PATCH_INSTRUCTION;
        moved->displaced += (uint8_t)instruction->size;
    }
    return TRACE_PATCH_DONE;
}

enum trace_patch displace(const uint8_t *text, size_t size, uint64_t address,
                          struct displaced *moved)
{
    csh engine;
    enum trace_patch result = TRACE_PATCH_INSTRUCTION;
    *moved = (struct displaced){0};
    if (size >= sizeof endbr64 && memcmp(text, endbr64, sizeof endbr64) == 0)
        moved->skipped = sizeof endbr64;
    if (cs_open(CS_ARCH_X86, CS_MODE_64, &engine) != CS_ERR_OK)
        return result;
    (void)cs_option(engine, CS_OPT_DETAIL, CS_OPT_ON);
    cs_insn *instruction = cs_malloc(engine);
    if (instruction) {
        result = displace_with(engine, instruction, text + moved->skipped, size - moved->skipped,
                               address + moved->skipped, moved);
        cs_free(instruction, 1);
    }
    (void)cs_close(&engine);
    return result;
}

bool displace_settle(const struct displaced *moved, uint64_t place, uint8_t *to)
{
    memcpy(to, moved->code, moved->bytes);
    for (int i = 0; i < moved->fixup_count; i++) {
        const struct displace_fixup *fixup = &moved->fixups[i];
        const int64_t distance = (int64_t)(fixup->target - (place + fixup->end));
        const int32_t narrow = (int32_t)distance;
        if (narrow != distance)
            return false;
        memcpy(to + fixup->at, &narrow, sizeof narrow);
    }
    return true;
}
