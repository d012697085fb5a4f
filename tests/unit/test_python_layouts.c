// What CPython from 3.13 on says of its own layout, as read from _PyRuntime of 3.13.0, 3.14.10 and
// 3.15.2 (x86-64, release builds with a GIL).
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "shared/python_layouts.h"

typedef uint64_t runtime[PYTHON_RUNTIME_BYTES / 8];

static const runtime python_3_13 = {UINT64_C(0x7970677562656478),
                                    51183856,
                                    0,
                                    283320,
                                    608,
                                    632,
                                    194968,
                                    7272,
                                    7264,
                                    7344,
                                    7400,
                                    7656,
                                    7640,
                                    7648,
                                    16,
                                    7752,
                                    0,
                                    7768,
                                    7760,
                                    304,
                                    0,
                                    8,
                                    16,
                                    72,
                                    152,
                                    160,
                                    232,
                                    32,
                                    80,
                                    8,
                                    0,
                                    56,
                                    72,
                                    70,
                                    208,
                                    112,
                                    120,
                                    128,
                                    136,
                                    68,
                                    52,
                                    96,
                                    104,
                                    200,
                                    16,
                                    8,
                                    416,
                                    24,
                                    88,
                                    168,
                                    32,
                                    24,
                                    16,
                                    40,
                                    24,
                                    16,
                                    48,
                                    32,
                                    40,
                                    24,
                                    16,
                                    32,
                                    16,
                                    24,
                                    40,
                                    16,
                                    32,
                                    64,
                                    32,
                                    16,
                                    40};
static const runtime python_3_14 = {UINT64_C(0x7970677562656478),
                                    51251952,
                                    0,
                                    316616,
                                    784,
                                    808,
                                    225864,
                                    7280,
                                    7272,
                                    7344,
                                    7360,
                                    7408,
                                    7688,
                                    7672,
                                    7680,
                                    16,
                                    7784,
                                    0,
                                    7800,
                                    7792,
                                    7992,
                                    0,
                                    832,
                                    0,
                                    8,
                                    16,
                                    72,
                                    152,
                                    160,
                                    232,
                                    32,
                                    88,
                                    8,
                                    0,
                                    56,
                                    80,
                                    74,
                                    64,
                                    0,
                                    216,
                                    112,
                                    120,
                                    128,
                                    136,
                                    68,
                                    52,
                                    96,
                                    104,
                                    208,
                                    0,
                                    16,
                                    8,
                                    416,
                                    24,
                                    88,
                                    168,
                                    40,
                                    32,
                                    16,
                                    40,
                                    24,
                                    16,
                                    200,
                                    24,
                                    40,
                                    32,
                                    48,
                                    32,
                                    40,
                                    24,
                                    16,
                                    32,
                                    16,
                                    24,
                                    40,
                                    16,
                                    32,
                                    64,
                                    32,
                                    16,
                                    40,
                                    264,
                                    192,
                                    160,
                                    24};
static const runtime python_3_15 = {UINT64_C(0x7970677562656478),
                                    51315440,
                                    0,
                                    346568,
                                    912,
                                    936,
                                    226240,
                                    7272,
                                    7264,
                                    7336,
                                    7352,
                                    7400,
                                    7592,
                                    7576,
                                    7584,
                                    16,
                                    7736,
                                    0,
                                    7752,
                                    7744,
                                    7944,
                                    0,
                                    888,
                                    0,
                                    8,
                                    16,
                                    72,
                                    80,
                                    88,
                                    96,
                                    176,
                                    184,
                                    256,
                                    32,
                                    36,
                                    40,
                                    136,
                                    288,
                                    0,
                                    88,
                                    8,
                                    0,
                                    56,
                                    80,
                                    74,
                                    64,
                                    0,
                                    216,
                                    112,
                                    120,
                                    128,
                                    136,
                                    68,
                                    52,
                                    96,
                                    104,
                                    208,
                                    0,
                                    16,
                                    8,
                                    424,
                                    24,
                                    88,
                                    168,
                                    32,
                                    288,
                                    944,
                                    888,
                                    40,
                                    32,
                                    16,
                                    40,
                                    24,
                                    16,
                                    200,
                                    24,
                                    40,
                                    32,
                                    48,
                                    32,
                                    40,
                                    24,
                                    16,
                                    32,
                                    16,
                                    24,
                                    40,
                                    16,
                                    32,
                                    64,
                                    32,
                                    16,
                                    40};

// The table and the interpreter say the same of 3.13.
static void test_table_agrees(void **state)
{
    struct python_layout read;
    const struct python_layout *row = python_layout_of(13);
    (void)state;
    assert_true(python_layout_read(13, python_3_13, &read));
    assert_int_equal(read.runtime_main, row->runtime_main);
    assert_int_equal(read.interpreter_threads, row->interpreter_threads);
    assert_int_equal(read.thread_identity, row->thread_identity);
    assert_int_equal(read.thread_native, row->thread_native);
    assert_int_equal(read.thread_frame, row->thread_frame);
    assert_int_equal(read.frame_code, row->frame_code);
    assert_int_equal(read.frame_back, row->frame_back);
    assert_int_equal(read.frame_instruction, row->frame_instruction);
    assert_int_equal(read.frame_locals, row->frame_locals);
    assert_int_equal(read.frame_owner, row->frame_owner);
    assert_int_equal(read.object_frame, row->object_frame);
    assert_int_equal(read.code_bytes, row->code_bytes);
    assert_int_equal(read.code_filename, row->code_filename);
    assert_int_equal(read.code_name, row->code_name);
    assert_int_equal(read.code_qualname, row->code_qualname);
    assert_int_equal(read.code_firstline, row->code_firstline);
    assert_int_equal(read.code_linetable, row->code_linetable);
    assert_int_equal(read.code_locals, row->code_locals);
    assert_int_equal(read.text_ascii, row->text_ascii);
    assert_int_equal(read.text_compact, row->text_compact);
    assert_int_equal(read.return_value, row->return_value);
    assert_int_equal(read.return_const, row->return_const);
    assert_int_equal(read.tags, row->tags);
}

// offsetof() in the headers of these versions.
static void test_newer(void **state)
{
    struct python_layout read;
    (void)state;
    assert_true(python_layout_read(14, python_3_14, &read));
    assert_int_equal(read.frame_locals, 80);
    assert_int_equal(read.frame_owner, 74);
    assert_int_equal(read.code_bytes, 208);
    assert_int_equal(read.thread_identity, 152);
    assert_int_equal(read.runtime_main, 816);
    assert_true(python_layout_read(15, python_3_15, &read));
    assert_int_equal(read.thread_frame, 72);
    assert_int_equal(read.thread_identity, 176);
    assert_int_equal(read.thread_native, 184);
    assert_int_equal(read.interpreter_threads, 7336);
    assert_int_equal(read.runtime_main, 944);
}

static void test_tags(void **state)
{
    struct python_layout layout;
    uint64_t object = 0;
    (void)state;
    const uint64_t address = (uint64_t)(uintptr_t)&object;
    assert_true(python_layout_read(14, python_3_14, &layout));
    assert_ptr_equal(python_layout_referred(&layout, &(uint64_t){address}), &object);
    assert_ptr_equal(python_layout_referred(&layout, &(uint64_t){address | 1}), &object);
    assert_null(python_layout_referred(&layout, &(uint64_t){1}));           // no value
    assert_null(python_layout_referred(&layout, &(uint64_t){42 << 2 | 3})); // a number
    assert_ptr_equal(python_layout_referred(python_layout_of(13), &(uint64_t){address}), &object);
}

enum { VERSION = 1, FREE_THREADED = 2, FRAME_SIZE = 31, FRAME_OWNER = 36, CODE_NAME = 41 };

static void test_refused(void **state)
{
    struct python_layout layout;
    runtime copy;
    (void)state;
    assert_false(python_layout_read(13, python_3_14, &layout)); // says that it is another version
    assert_false(python_layout_read(12, python_3_13, &layout)); // had no such table
    const struct {
        int word;
        uint64_t value;
    } faults[] = {{0, 0},
                  {VERSION, 0},
                  {FREE_THREADED, 1},
                  {FRAME_SIZE, 8},
                  {FRAME_SIZE, UINT64_MAX},
                  {FRAME_OWNER, UINT64_MAX},
                  {CODE_NAME, 4096}};
    for (size_t i = 0; i < sizeof faults / sizeof *faults; i++) {
        memcpy(copy, python_3_14, sizeof copy);
        assert_true(python_layout_read(14, copy, &layout));
        copy[faults[i].word] = faults[i].value;
        assert_false(python_layout_read(14, copy, &layout));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_table_agrees),
        cmocka_unit_test(test_newer),
        cmocka_unit_test(test_tags),
        cmocka_unit_test(test_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
