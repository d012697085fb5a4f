// Which entries of functions can be patched, what their first instructions become, and plans.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <capstone/capstone.h>
#include <stdio.h>
#include <unistd.h>

#include "patch/displace.h"
#include "patch/entered.h"
#include "patch/image.h"
#include "patch/plan.h"
#include "patch/symbols.h"
#include "shared/patch_plan.h"

enum { HERE = 0x401000, THERE = 0x7000000 };

static enum trace_patch try(const char *bytes, size_t count, struct displaced *moved)
{
    return displace((const uint8_t *)bytes, count, HERE, moved);
}

#define TRY(bytes, moved) try(bytes, sizeof bytes - 1, moved)

static void plain_instructions_stay_as_they_are(void **state)
{
    (void)state;
    struct displaced moved;
    // push %rbp; mov %rsp,%rbp; push %rbx; sub $8,%rsp
    assert_int_equal(TRY("\x55\x48\x89\xe5\x53\x48\x83\xec\x08\xc3", &moved), TRACE_PATCH_DONE);
    assert_int_equal(moved.displaced, 5);
    assert_int_equal(moved.bytes, 5);
    assert_memory_equal(moved.code, "\x55\x48\x89\xe5\x53", 5);
    assert_int_equal(moved.fixup_count, 0);
    assert_false(moved.ends);
    // endbr64 stays: push %r15; push %r14; push %r13; ...
    assert_int_equal(TRY("\xf3\x0f\x1e\xfa\x41\x57\x41\x56\x41\x55\x41\x54", &moved),
                     TRACE_PATCH_DONE);
    assert_int_equal(moved.skipped, 4);
    assert_int_equal(moved.displaced, 6);
    // mov $1,%eax; ret: the ret is behind what is replaced
    assert_int_equal(TRY("\xb8\x01\x00\x00\x00\xc3", &moved), TRACE_PATCH_DONE);
    assert_false(moved.ends);
    // sub $8,%rsp; ret: replaced, too
    assert_int_equal(TRY("\x48\x83\xec\x08\xc3", &moved), TRACE_PATCH_DONE);
    assert_true(moved.ends);
}

static void distances_are_filled_in(void **state)
{
    (void)state;
    struct displaced moved;
    uint8_t code[DISPLACE_CODE_BYTES];
    int32_t distance = 0;
    // mov 0x1000(%rip),%rax
    assert_int_equal(TRY("\x48\x8b\x05\x00\x10\x00\x00\xc3", &moved), TRACE_PATCH_DONE);
    assert_int_equal(moved.fixup_count, 1);
    assert_int_equal(moved.fixups[0].target, HERE + 7 + 0x1000);
    assert_true(displace_settle(&moved, THERE, code));
    memcpy(&distance, code + 3, 4);
    assert_int_equal(THERE + 7 + distance, HERE + 7 + 0x1000);
    // cmpl $0x12345678,-16(%rip): a number follows the distance
    assert_int_equal(TRY("\x81\x3d\xf0\xff\xff\xff\x78\x56\x34\x12\xc3", &moved), TRACE_PATCH_DONE);
    assert_int_equal(moved.fixups[0].at, 2);
    assert_int_equal(moved.fixups[0].end, 10);
    assert_int_equal(moved.fixups[0].target, HERE + 10 - 16);
    // Too far away for 32 bits.
    assert_false(displace_settle(&moved, UINT64_C(0x7f0000000000), code));
}

static void jumps_are_made_long(void **state)
{
    (void)state;
    struct displaced moved;
    // test %edi,%edi; je +0x20; mov ...
    assert_int_equal(TRY("\x85\xff\x74\x20\x89\xf8\xc3", &moved), TRACE_PATCH_DONE);
    assert_int_equal(moved.displaced, 6);
    assert_int_equal(moved.bytes, 2 + 6 + 2);
    assert_memory_equal(moved.code + 2, "\x0f\x84", 2);
    assert_int_equal(moved.fixups[0].target, HERE + 4 + 0x20);
    // A function that is one jump: sqlite3_open_v2.
    assert_int_equal(TRY("\xe9\x00\x01\x00\x00", &moved), TRACE_PATCH_DONE);
    assert_true(moved.ends);
    assert_int_equal(moved.fixups[0].target, HERE + 5 + 0x100);
    // xor %esi,%esi; jmp rel32: sqlite3_close.
    assert_int_equal(TRY("\x31\xf6\xe9\x00\x01\x00\x00", &moved), TRACE_PATCH_DONE);
    assert_int_equal(moved.displaced, 7);
    assert_true(moved.ends);
    // jmp *0x100(%rip)
    assert_int_equal(TRY("\xff\x25\x00\x01\x00\x00", &moved), TRACE_PATCH_DONE);
    assert_true(moved.ends);
    assert_int_equal(moved.fixups[0].target, HERE + 6 + 0x100);
}

static void what_cannot_be_moved_is_refused(void **state)
{
    (void)state;
    struct displaced moved;
    assert_int_equal(TRY("\xc3", &moved), TRACE_PATCH_SHORT);             // ret
    assert_int_equal(TRY("\x83\x2f\x01\xc3", &moved), TRACE_PATCH_SHORT); // subl $1,(%rdi); ret
    assert_int_equal(TRY("\xf3\x0f\x1e\xfa\xc3", &moved), TRACE_PATCH_SHORT);
    // xor %eax,%eax; ret; then the next function, of which nothing is known
    assert_int_equal(TRY("\x31\xc0\xc3\x90\x90\x90", &moved), TRACE_PATCH_SHORT);
    assert_int_equal(TRY("\x31\xf6\xeb\x10\x90\x90", &moved), TRACE_PATCH_SHORT); // jmp rel8
    assert_int_equal(TRY("\x48\x83\xec\x08\xe8\x00\x00\x00\x00", &moved),
                     TRACE_PATCH_INSTRUCTION);                                          // call
    assert_int_equal(TRY("\xe3\x10\x90\x90\x90\x90", &moved), TRACE_PATCH_INSTRUCTION); // jrcxz
    assert_int_equal(TRY("\xe2\x10\x90\x90\x90\x90", &moved), TRACE_PATCH_INSTRUCTION); // loop
    assert_int_equal(TRY("\xcc\x48\x89\xe5\x53\x50", &moved), TRACE_PATCH_INSTRUCTION); // int3
    assert_int_equal(TRY("\x0f\x05\x48\x89\xe5\x53", &moved), TRACE_PATCH_INSTRUCTION); // syscall
    assert_int_equal(TRY("\xc7\xf8\x00\x00\x00\x00", &moved), TRACE_PATCH_INSTRUCTION); // xbegin
    assert_int_equal(TRY("\xf2\xe9\x00\x00\x00\x00", &moved),
                     TRACE_PATCH_INSTRUCTION); // bnd jmp
    assert_int_equal(TRY("\x67\x8b\x05\x00\x10\x00\x00", &moved),
                     TRACE_PATCH_INSTRUCTION); // mov 0x1000(%eip)
    assert_int_equal(TRY("\x06\x06\x06\x06\x06\x06", &moved),
                     TRACE_PATCH_INSTRUCTION); // no instruction
}

struct mass {
    struct image image;
    csh engine;
    size_t functions, done, wrong;
};

static bool is_relative(const cs_insn *instruction)
{
    for (int i = 0; i < instruction->detail->x86.op_count; i++)
        if (instruction->detail->x86.operands[i].type == X86_OP_MEM &&
            instruction->detail->x86.operands[i].mem.base == X86_REG_RIP)
            return true;
    return false;
}

// Where a jump leads, or what address a relative operand is.
static uint64_t target_of(const cs_insn *instruction)
{
    const cs_x86 *x86 = &instruction->detail->x86;
    for (int i = 0; i < x86->op_count; i++) {
        if (x86->operands[i].type == X86_OP_MEM && x86->operands[i].mem.base == X86_REG_RIP)
            return instruction->address + instruction->size + (uint64_t)x86->operands[i].mem.disp;
        if (x86->operands[i].type == X86_OP_IMM)
            return (uint64_t)x86->operands[i].imm;
    }
    return 0;
}

// Both mean the same: mnemonic, operands as text, and for what depends on the place, the target.
static bool is_same(const cs_insn *one, const cs_insn *other)
{
    if (strcmp(one->mnemonic, other->mnemonic) != 0)
        return false;
    bool placed = is_relative(one);
    for (int i = 0; i < one->detail->groups_count; i++)
        placed |= one->detail->groups[i] == X86_GRP_JUMP;
    if (!placed)
        return one->size == other->size && memcmp(one->bytes, other->bytes, one->size) == 0;
    return target_of(one) == target_of(other);
}

static void check_function(const struct function_symbol *symbol, void *data)
{
    struct mass *mass = data;
    struct displaced moved;
    uint8_t code[DISPLACE_CODE_BYTES];
    const uint8_t *text =
        symbol->size > 0 ? image_at(&mass->image, symbol->address, symbol->size) : NULL;
    if (!text || !image_text(&mass->image, symbol->address))
        return;
    mass->functions++;
    if (displace(text, symbol->size, symbol->address, &moved) != TRACE_PATCH_DONE)
        return;
    mass->done++;
    const uint64_t place = symbol->address + 0x3000000;
    assert_true(displace_settle(&moved, place, code));
    cs_insn *before = NULL;
    cs_insn *after = NULL;
    const size_t count = cs_disasm(mass->engine, text + moved.skipped, moved.displaced,
                                   symbol->address + moved.skipped, 0, &before);
    const size_t made = cs_disasm(mass->engine, code, moved.bytes, place, 0, &after);
    bool same = count == made && count > 0;
    for (size_t i = 0; same && i < count; i++)
        same = is_same(&before[i], &after[i]);
    if (!same)
        print_message("# %s is not the same elsewhere\n", symbol->name);
    mass->wrong += !same;
    cs_free(before, count);
    cs_free(after, made);
}

static void functions_of_real_programs_can_be_moved(void **state)
{
    (void)state;
    static const char *const files[] = {
        "/usr/lib/x86_64-linux-gnu/libsqlite3.so.0",
        "/usr/lib/x86_64-linux-gnu/libc.so.6",
        "/usr/bin/python3.11",
        "/usr/bin/perl",
        "/bin/bash",
        "/proc/self/exe",
    };
    size_t all = 0;
    for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        struct mass mass = {0};
        if (access(files[i], R_OK) != 0)
            continue;
        assert_int_equal(image_open(&mass.image, files[i]), 0);
        assert_int_equal(cs_open(CS_ARCH_X86, CS_MODE_64, &mass.engine), CS_ERR_OK);
        cs_option(mass.engine, CS_OPT_DETAIL, CS_OPT_ON);
        (void)function_symbols(files[i], check_function, &mass);
        cs_close(&mass.engine);
        image_close(&mass.image);
        print_message("# %s: %zu of %zu functions\n", files[i], mass.done, mass.functions);
        assert_int_equal(mass.wrong, 0);
        assert_true(mass.done * 10 >= mass.functions * 9);
        all += mass.functions;
    }
    assert_true(all > 100);
}

// Functions with something to find, laid out by hand.
__asm__("    .text\n"
        "    .p2align 4\n"
        "    .type test_patch_loop, @function\n"
        "test_patch_loop:\n" // the second instruction is the head of a loop
        "    xorl %eax, %eax\n"
        "1:  addl $1, %eax\n"
        "    cmpl $10, %eax\n"
        "    jl 1b\n"
        "    ret\n"
        "    .size test_patch_loop, . - test_patch_loop\n"
        "    .p2align 4\n"
        "    .type test_patch_far, @function\n"
        "test_patch_far:\n" // entered in its middle by code far away
        "    xorl %eax, %eax\n"
        "    .globl test_patch_far_middle\n"
        "    .hidden test_patch_far_middle\n"
        "test_patch_far_middle:\n"
        "    movl $1, %eax\n"
        "    ret\n"
        "    .size test_patch_far, . - test_patch_far\n"
        "    .skip 300, 0x90\n"
        "    jmp test_patch_far_middle\n"
        "    .p2align 4\n"
        "    .type test_patch_again, @function\n"
        "test_patch_again:\n" // its first instruction is the head of a loop
        "    addl $1, %edi\n"
        "    cmpl $10, %edi\n"
        "    jl test_patch_again\n"
        "    ret\n"
        "    .size test_patch_again, . - test_patch_again\n"
        "    .p2align 4\n"
        "    .type test_patch_table, @function\n"
        "test_patch_table:\n" // one of the cases is the second instruction
        "    andl $1, %edi\n"
        "2:  nopw 0(%rax)\n"
        "    leaq 3f(%rip), %rdx\n"
        "    movslq (%rdx,%rdi,4), %rax\n"
        "    addq %rdx, %rax\n"
        "    jmp *%rax\n"
        "4:  ret\n"
        "    .size test_patch_table, . - test_patch_table\n"
        "    .section .rodata\n"
        "    .p2align 2\n"
        "3:  .long 4b - 3b\n"
        "    .long 2b - 3b\n"
        "    .section .data.rel.ro, \"aw\"\n"
        "    .p2align 3\n"
        "    .quad 6f\n"
        "    .text\n"
        "    .p2align 4\n"
        "    .type test_patch_label, @function\n"
        "test_patch_label:\n" // the address of its second instruction is kept somewhere
        "    andl $1, %edi\n"
        "6:  movl $1, %eax\n"
        "    ret\n"
        "    .size test_patch_label, . - test_patch_label\n"
        "    .p2align 4\n"
        "    .type test_patch_good, @function\n"
        "test_patch_good:\n"
        "    movl $1, %eax\n"
        "5:  addl $1, %eax\n"
        "    cmpl $10, %eax\n"
        "    jl 5b\n"
        "    call test_patch_good\n"
        "    ret\n"
        "    .size test_patch_good, . - test_patch_good\n"
        "    .p2align 4\n"
        "    .globl test_patch_twin, test_patch_other\n"
        "    .type test_patch_twin, @function\n"
        "    .type test_patch_other, @function\n"
        "test_patch_twin:\n"
        "test_patch_other:\n"
        "    movl $1, %eax\n"
        "    ret\n"
        "    .size test_patch_twin, . - test_patch_twin\n"
        "    .size test_patch_other, . - test_patch_other\n"
        "    .p2align 4\n"
        "    .type test_patch_short, @function\n"
        "test_patch_short:\n"
        "    ret\n"
        "    .size test_patch_short, . - test_patch_short\n"
        "    .p2align 4\n"
        "    .type test_patch_unsized, @function\n"
        "test_patch_unsized:\n"
        "    movl $1, %eax\n"
        "    ret\n");

static void what_speaks_against_a_patch_is_found(void **state)
{
    (void)state;
    static const struct {
        const char *name;
        enum trace_patch outcome;
    } expected[] = {
        {"test_patch_good", TRACE_PATCH_DONE},       {"test_patch_loop", TRACE_PATCH_ENTERED},
        {"test_patch_far", TRACE_PATCH_ENTERED},     {"test_patch_again", TRACE_PATCH_ENTERED},
        {"test_patch_table", TRACE_PATCH_ENTERED},   {"test_patch_label", TRACE_PATCH_ENTERED},
        {"test_patch_twin", TRACE_PATCH_SHARED},     {"test_patch_short", TRACE_PATCH_SHORT},
        {"test_patch_unsized", TRACE_PATCH_UNSIZED},
    };
    enum { COUNT = sizeof expected / sizeof expected[0] };
    static struct spec specs[COUNT];
    for (int i = 0; i < COUNT; i++) {
        char text[100];
        struct spec_error error;
        (void)snprintf(text, sizeof text, "acquire %s() -> handle", expected[i].name);
        assert_int_equal(spec_parse(text, NULL, &specs[i], 1, &error), 1);
    }
    struct plan *plan = plan_new(specs, COUNT, PLAN_FOR_START);
    assert_true(plan_add_file(plan, "/proc/self/exe", "this", PLAN_EVERYTHING));
    assert_int_equal(plan_finding_count(plan), COUNT);
    for (size_t i = 0; i < COUNT; i++) {
        const struct plan_finding *finding = plan_finding(plan, i);
        for (size_t j = 0; j < COUNT; j++)
            if (strcmp(expected[j].name, finding->name) == 0 &&
                finding->outcome != expected[j].outcome)
                fail_msg("%s: %d, not %d", finding->name, finding->outcome, expected[j].outcome);
    }
    plan_free(plan);
}

static void a_plan_is_read_as_it_was_written(void **state)
{
    (void)state;
    struct patch_step step;
    const char *text = "module b0123\n"
                       "symbol sqlite3_sql 1000\n"
                       "refused my_get 5\n"
                       "patch my_put 1 401000 2f 123456789abcdef 4 7 1 31f6e900000000 3:7:402000\n"
                       "module t10.0\n"
                       "patch my_other 2 401000 2f 1 0 5 0 4883ec0890\n";
    const char *id = patch_plan_module(&text);
    assert_memory_equal(id, "b0123\n", 6);
    assert_true(patch_plan_step(&text, &step));
    assert_true(step.is_symbol);
    assert_int_equal(step.function, 0x1000);
    assert_true(patch_plan_step(&text, &step));
    assert_int_equal(step.outcome, 5);
    assert_true(patch_plan_step(&text, &step));
    assert_string_equal(step.name, "my_put");
    assert_int_equal(step.function, 0x401000);
    assert_int_equal(step.size, 0x2f);
    assert_int_equal(step.checksum, 0x123456789abcdef);
    assert_int_equal(step.skipped, 4);
    assert_int_equal(step.displaced, 7);
    assert_true(step.ends);
    assert_int_equal(step.bytes, 7);
    assert_int_equal(step.fixup_count, 1);
    assert_int_equal(step.fixups[0].end, 7);
    assert_int_equal(step.fixups[0].target, 0x402000);
    assert_false(patch_plan_step(&text, &step));
    assert_memory_equal(patch_plan_module(&text), "t10.0\n", 6);
    assert_true(patch_plan_step(&text, &step));
    assert_string_equal(step.name, "my_other");
    assert_false(patch_plan_step(&text, &step));
    assert_null(patch_plan_module(&text));
}

// Whatever is in the variable: nothing is read or written out of bounds, and it comes to an end.
static void a_damaged_plan_does_no_harm(void **state)
{
    (void)state;
    static const char whole[] =
        "module b0123\nsymbol a 1000\nrefused my_get 5\n"
        "patch my_put 1 401000 2f 123456789abcdef 4 7 1 31f6e900000000 3:7:402000 0:4:1 1:5:2\n";
    srand(1);
    for (int round = 0; round < 20000; round++) {
        char copy[sizeof whole];
        memcpy(copy, whole, sizeof whole);
        for (int i = rand() % 4; i >= 0; i--)
            copy[(size_t)rand() % (sizeof whole - 1)] = "0f: \nmpgz9"[rand() % 10];
        copy[(size_t)rand() % sizeof whole] = '\0';
        char *exact = strdup(copy); // so that a sanitizer sees its end
        const char *text = exact;
        struct patch_step step;
        int steps = 0;
        while (patch_plan_module(&text))
            while (patch_plan_step(&text, &step))
                assert_true(++steps < 10 && step.bytes <= PATCH_PLAN_CODE_BYTES &&
                            step.fixup_count <= PATCH_PLAN_FIXUPS && step.displaced <= 19);
        free(exact);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(plain_instructions_stay_as_they_are),
        cmocka_unit_test(distances_are_filled_in),
        cmocka_unit_test(jumps_are_made_long),
        cmocka_unit_test(what_cannot_be_moved_is_refused),
        cmocka_unit_test(functions_of_real_programs_can_be_moved),
        cmocka_unit_test(what_speaks_against_a_patch_is_found),
        cmocka_unit_test(a_plan_is_read_as_it_was_written),
        cmocka_unit_test(a_damaged_plan_does_no_harm),
    };
    return cmocka_run_group_tests_name("patch", tests, NULL, NULL);
}
