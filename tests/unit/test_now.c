// Whether a function that acquired is still active: now_compare on made-up stacks.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "report/code/frames.h"

enum { MOST = 16 };

struct made {
    struct frames frames;
    struct frame frame[MOST];
};

static struct frame *add(struct made *made)
{
    assert_true(made->frames.count < MOST);
    made->frames.frame = made->frame;
    struct frame *frame = &made->frame[made->frames.count++];
    *frame = (struct frame){.language = "native"};
    return frame;
}

static void python(struct made *made, const char *function, unsigned line)
{
    struct frame *frame = add(made);
    frame->runtime = true;
    frame->function = function;
    frame->file = "app.py";
    frame->line = line;
    made->frames.has_locations = true;
}

static void native(struct made *made, const char *function, uint64_t offset)
{
    struct frame *frame = add(made);
    frame->function = function;
    frame->module = "/bin/app";
    frame->offset = offset;
}

static void compare(const struct made *acquire, size_t function, const struct made *now,
                    bool greenlets, enum now_place place, size_t at)
{
    size_t found = 99;
    assert_int_equal(now_compare(&acquire->frames, function, &now->frames, greenlets, &found),
                     place);
    assert_int_equal(found, at);
}

static void python_stack(struct made *made)
{
    python(made, "Page.open", 10);
    python(made, "serve", 20);
    python(made, "<module>", 30);
}

static void test_inside(void **state)
{
    (void)state;
    struct made acquire = {0};
    struct made now = {0};
    python_stack(&acquire);
    python(&now, "sleep", 5);
    python(&now, "Page.open", 14); // it has gone on
    python(&now, "serve", 20);
    python(&now, "<module>", 30);
    compare(&acquire, 0, &now, false, NOW_INSIDE, 1);
    now.frame[1].function = "open"; // as CPython 3.10 calls it
    compare(&acquire, 0, &now, false, NOW_INSIDE, 1);
    now.frame[1].function = "Other.open";
    compare(&acquire, 0, &now, false, NOW_RETURNED, 2);
}

static void test_returned(void **state)
{
    (void)state;
    struct made acquire = {0};
    struct made now = {0};
    python_stack(&acquire);
    python(&now, "serve", 21);
    python(&now, "<module>", 30);
    compare(&acquire, 0, &now, false, NOW_RETURNED, 0);
    now.frame[1].line = 31; // serve too, and this is a later call of it
    compare(&acquire, 0, &now, false, NOW_RETURNED, 1);
    compare(&acquire, 2, &now, false, NOW_INSIDE, 1);
}

static void test_called_from_elsewhere(void **state)
{
    (void)state;
    struct made acquire = {0};
    struct made now = {0};
    python_stack(&acquire);
    python(&now, "Page.open", 10);
    python(&now, "serve", 25);
    python(&now, "<module>", 30);
    compare(&acquire, 0, &now, false, NOW_RETURNED, 1);
    now.frame[1].line = 20;
    compare(&acquire, 0, &now, false, NOW_INSIDE, 0);
}

static void test_recursion(void **state)
{
    (void)state;
    struct made acquire = {0};
    struct made now = {0};
    python(&acquire, "walk", 5); // the second call
    python(&acquire, "walk", 6);
    python(&acquire, "<module>", 30);
    python(&now, "walk", 7); // the first one
    python(&now, "<module>", 30);
    compare(&acquire, 0, &now, false, NOW_RETURNED, 0);
    compare(&acquire, 1, &now, false, NOW_INSIDE, 0);
}

static void test_other_stack(void **state)
{
    (void)state;
    struct made acquire = {0};
    struct made now = {0};
    python(&acquire, "handle", 5);
    python(&now, "hub", 5);
    compare(&acquire, 0, &now, false, NOW_RETURNED, 1);
    compare(&acquire, 0, &now, true, NOW_UNKNOWN, 1);
    struct made native_acquire = {0};
    struct made native_now = {0};
    native(&native_acquire, "handle", 5);
    native(&native_acquire, "coroutine", 6);
    native(&native_now, "schedule", 7);
    native(&native_now, "main", 8);
    compare(&native_acquire, 0, &native_now, false, NOW_UNKNOWN, 2);
}

static void test_cut(void **state)
{
    (void)state;
    struct made acquire = {0};
    struct made now = {0};
    python(&acquire, "open", 10);
    python(&acquire, "serve", 20);
    acquire.frames.cut = true;
    python(&now, "open", 11);
    python(&now, "serve", 20);
    python(&now, "<module>", 30);
    compare(&acquire, 0, &now, false, NOW_INSIDE, 0);
    now.frame[1].line = 21;
    compare(&acquire, 0, &now, false, NOW_RETURNED, 3); // who called serve was not recorded
    now.frames.cut = true;                              // deeper frames are not known
    compare(&acquire, 0, &now, false, NOW_UNKNOWN, 3);
}

static void test_inlined(void **state)
{
    (void)state;
    struct made acquire = {0};
    struct made now = {0};
    native(&acquire, "open", 0x10);
    acquire.frame[0].inlined = true;
    native(&acquire, "serve", 0x10);
    native(&acquire, "main", 0x30);
    native(&now, "read", 0x50);
    native(&now, "open", 0x18);
    now.frame[1].inlined = true;
    native(&now, "serve", 0x18);
    native(&now, "main", 0x30);
    compare(&acquire, 0, &now, false, NOW_INSIDE, 1);
    now.frame[1].function = "close";
    compare(&acquire, 0, &now, false, NOW_RETURNED, 2);
}

// Native frames in between and at the end are no part of a comparison of Python's.
static void test_mixed(void **state)
{
    (void)state;
    struct made acquire = {0};
    struct made now = {0};
    python_stack(&acquire);
    native(&acquire, "eval", 1);
    native(&acquire, "main", 2);
    python(&now, "Page.open", 14);
    python(&now, "serve", 20);
    python(&now, "<module>", 30);
    native(&now, "poll", 9);
    native(&now, "main", 3);
    compare(&acquire, 0, &now, false, NOW_INSIDE, 0);
}

static void test_nothing(void **state)
{
    (void)state;
    struct made acquire = {0};
    struct made now = {0};
    compare(&acquire, 0, &now, false, NOW_UNKNOWN, 0);
    python_stack(&acquire);
    compare(&acquire, 0, &now, false, NOW_RETURNED, 0); // runs no Python code any more
    compare(&acquire, 0, &now, true, NOW_UNKNOWN, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_inside),
        cmocka_unit_test(test_returned),
        cmocka_unit_test(test_called_from_elsewhere),
        cmocka_unit_test(test_recursion),
        cmocka_unit_test(test_other_stack),
        cmocka_unit_test(test_cut),
        cmocka_unit_test(test_inlined),
        cmocka_unit_test(test_mixed),
        cmocka_unit_test(test_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
