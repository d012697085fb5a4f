// The timeline of a site, against a model that remembers every change.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "recorder/books/growth.h"

#define UNIT ((uint64_t)TRACE_GROWTH_UNIT_NS)
#define SECOND (16 * UNIT)

enum { MOST_CHANGES = 100000 };

// What was out from which moment on.
struct model {
    size_t count;
    uint64_t at[MOST_CHANGES];
    uint32_t out[MOST_CHANGES];
};
static struct model model;

static void begin(struct trace_growth *growth)
{
    *growth = (struct trace_growth){.width = 1};
    model.count = 1;
    model.at[0] = 0;
    model.out[0] = 0;
}

static void change(struct trace_growth *growth, uint64_t at, uint32_t out)
{
    assert_true(model.count < MOST_CHANGES);
    growth_note(growth, at, model.out[model.count - 1], out);
    model.at[model.count] = at;
    model.out[model.count++] = out;
}

// The smallest number out at once in [from, to), where `to` may be beyond the last change.
static uint32_t least(uint64_t from, uint64_t to)
{
    uint32_t result = UINT32_MAX;
    for (size_t i = 0; i < model.count; i++) {
        uint64_t until = i + 1 < model.count ? model.at[i + 1] : UINT64_MAX;
        // A number that held for no time at all is seen nevertheless.
        if (model.at[i] < to && (until > from || model.at[i] >= from) && model.out[i] < result)
            result = model.out[i];
    }
    return result;
}

static void check(const struct trace_growth *growth)
{
    uint64_t last = model.at[model.count - 1];
    uint64_t width = growth->width * UNIT;
    assert_int_equal(growth->reached, last / width);
    assert_true(growth->reached < TRACE_GROWTH_BUCKETS);
    for (uint32_t i = 0; i <= growth->reached; i++)
        if (growth->least_out[i] != least(i * width, (i + 1) * width))
            fail_msg("bucket %u of %u: %u, model %u", i, growth->reached, growth->least_out[i],
                     least(i * width, (i + 1) * width));
}

static void a_leak_grows(void **state)
{
    struct trace_growth growth;
    (void)state;
    begin(&growth);
    for (uint32_t i = 0; i < 60; i++) { // one a second is left over
        change(&growth, i * SECOND + 1, i + 1);
        change(&growth, i * SECOND + UNIT / 2, i + 2);
        change(&growth, i * SECOND + 2 * UNIT, i + 1);
        check(&growth);
    }
    assert_int_equal(growth.width, 32); // 2 s
    assert_int_equal(growth.reached, 29);
    for (uint32_t i = 1; i < 30; i++)
        assert_int_equal(growth.least_out[i], 2 * i);
}

static void traffic_does_not_grow(void **state)
{
    struct trace_growth growth;
    (void)state;
    begin(&growth);
    for (uint32_t i = 0; i < 1000; i++) {
        change(&growth, i * UNIT, i % 7 + 1);
        change(&growth, i * UNIT + UNIT / 3, 0);
    }
    check(&growth);
    for (uint32_t i = 0; i <= growth.reached; i++)
        assert_int_equal(growth.least_out[i], 0);
}

static void random_changes(void **state)
{
    struct trace_growth growth;
    (void)state;
    srand(4711);
    for (int round = 0; round < 200; round++) {
        uint64_t now = 0;
        uint64_t scale = UNIT >> (rand() % 8) << (rand() % 12);
        begin(&growth);
        for (int i = 0; i < 300; i++) {
            uint32_t out = model.out[model.count - 1];
            now += (uint64_t)rand() % scale;
            if (rand() % 50 == 0)
                now += scale * (uint64_t)(rand() % 100); // a pause of many buckets
            change(&growth, now, rand() % 2 || out == 0 ? out + 1 : out - 1);
        }
        check(&growth);
    }
}

// Threads read the clock before they get the lock: a moment may be before one noted already.
static void an_earlier_moment_counts_as_the_last_one(void **state)
{
    struct trace_growth growth;
    (void)state;
    begin(&growth);
    growth_note(&growth, 10 * UNIT, 0, 1);
    growth_note(&growth, 9 * UNIT, 1, 0);
    assert_int_equal(growth.reached, 10);
    assert_int_equal(growth.least_out[9], 0);
    assert_int_equal(growth.least_out[10], 0);
}

static void a_nonsensical_clock_is_survived(void **state)
{
    struct trace_growth growth;
    (void)state;
    begin(&growth);
    growth_note(&growth, UINT64_MAX, 0, 1);
    growth_note(&growth, UINT64_MAX, 1, 2);
    assert_true(growth.reached < TRACE_GROWTH_BUCKETS);
    assert_int_equal(growth.width & (growth.width - 1), 0);
    assert_true(growth.width > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_leak_grows),
        cmocka_unit_test(traffic_does_not_grow),
        cmocka_unit_test(random_changes),
        cmocka_unit_test(an_earlier_moment_counts_as_the_last_one),
        cmocka_unit_test(a_nonsensical_clock_is_survived),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
