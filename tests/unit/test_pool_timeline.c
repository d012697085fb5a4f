// The timeline of a pool, who held it and who waited, against a model that remembers every change.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "recorder/books/pools.h"
#include "recorder/books/sites.h"
#include "recorder/core/intern.h"
#include "recorder/core/recorder.h"
#include "recorder_stand_in.h"

enum { SITES = 20, MOST_CHANGES = 40000, MILLISECOND = 1000000, THREAD = TRACE_NONE };

static struct {
    uint32_t pool;
    struct trace_pool *record;
    struct site site[SITES];
    size_t count;
    struct change {
        uint64_t at; // from the origin
        uint32_t out;
        uint32_t of[SITES];
    } change[MOST_CHANGES];
} model;

static int begin(void **state)
{
    (void)state;
    stand_in_begin();
    memset(&model, 0, sizeof model);
    model.pool = pool_intern(name_intern("test"), 0x99, TRACE_NONE);
    model.record = pool_record(model.pool);
    for (int i = 0; i < SITES; i++) {
        model.site[i].ref = trace_new_record(&recorder_trace, TRACE_SITES, &model.site[i].record);
        model.site[i].record->growth.width = 1;
    }
    model.count = 1;
    return 0;
}

static int end(void **state)
{
    (void)state;
    stand_in_end();
    return 0;
}

static uint64_t origin(void)
{
    return model.record->timeline.origin_ns;
}

static struct change *next_change(uint64_t at)
{
    assert_true(model.count < MOST_CHANGES);
    struct change *change = &model.change[model.count];
    *change = model.change[model.count - 1];
    change->at = at;
    model.count++;
    return change;
}

static void take(int site, uint64_t at)
{
    struct change *change = next_change(at);
    change->out++;
    change->of[site]++;
    pool_count_out(model.pool, model.site[site], 0, origin() + at);
}

static void give(int site, uint64_t at)
{
    struct change *change = next_change(at);
    change->out--;
    change->of[site]--;
    pool_count_back(model.pool, model.site[site].record, 1000, THREAD, origin() + at);
}

// The first moment in [from, to) at which most were out: what was out at `from` counts.
static const struct change *most(uint64_t from, uint64_t to)
{
    const struct change *found = NULL;
    for (size_t i = 0; i < model.count; i++) {
        bool carried =
            model.change[i].at < from && (i + 1 == model.count || model.change[i + 1].at >= from);
        bool inside = model.change[i].at >= from && model.change[i].at < to;
        if ((carried || inside) && (!found || model.change[i].out > found->out))
            found = &model.change[i];
    }
    return found;
}

static const struct trace_history *history(void)
{
    const struct trace_history *found = trace_record(&recorder_trace, TRACE_HISTORIES, 1);
    assert_non_null(found);
    assert_int_equal(found->pool, model.pool);
    assert_int_equal(found->width_ns, model.record->timeline.width_ns);
    return found;
}

static int larger(const void *a, const void *b)
{
    const uint32_t *x = a, *y = b;
    return (*x < *y) - (*x > *y);
}

static void check_holders(const struct trace_moment *moment, const struct change *change)
{
    uint32_t sorted[SITES];
    memcpy(sorted, change->of, sizeof sorted);
    qsort(sorted, SITES, sizeof *sorted, larger);
    for (int k = 0; k < TRACE_MOMENT_HOLDERS; k++) {
        const struct trace_moment_holder *holder = &moment->holders[k];
        assert_int_equal(holder->count, sorted[k]); // those that hold most
        if (holder->count == 0)
            continue;
        int site = 0;
        while (model.site[site].ref != holder->site)
            assert_true(++site < SITES);
        assert_int_equal(holder->count, change->of[site]);
    }
}

static void check(void)
{
    const struct trace_timeline *line = &model.record->timeline;
    const uint64_t width = line->width_ns;
    assert_int_equal(model.record->bucket, model.change[model.count - 1].at / width);
    for (uint64_t i = 0; i <= model.record->bucket; i++) {
        const struct change *change = most(i * width, (i + 1) * width);
        assert_int_equal(line->most_out[i], change->out);
        if (i < model.record->bucket) {
            check_holders(&history()->moments[i], change);
            continue;
        }
        for (int site = 0; site < SITES; site++) { // the bucket being written
            const struct trace_site *record = model.site[site].record;
            assert_int_equal(record->high == model.record->high ? record->out_at_high : record->out,
                             change->of[site]);
        }
    }
}

// Traffic of many sites, for longer and longer: buckets are merged several times.
static void test_random(void **state)
{
    unsigned seed = 7;
    uint64_t now = 0;
    (void)state;
    for (int step = 0; step < 30000; step++) {
        seed = seed * 1103515245 + 12345;
        now += (seed >> 8) % (step < 10000 ? 3 : 30) * MILLISECOND;
        if (step % 1000 == 999) // nobody calls for a while
            now += 700 * (uint64_t)MILLISECOND;
        int site = (int)((seed >> 16) % SITES);
        uint32_t out = model.change[model.count - 1].of[site];
        if (out > 0 && (seed >> 4) % 16 < 9)
            give(site, now);
        else
            take(site, now);
        if (step % 500 == 0 && model.record->bucket > 0)
            check();
    }
    check();
    assert_true(model.record->timeline.width_ns > UINT64_C(1) << 30);
}

// A pool that nobody calls for long: all the time in between looks like its beginning.
static void test_silence(void **state)
{
    (void)state;
    for (int i = 0; i < SITES; i++)
        take(i, 1);
    give(3, 600000 * (uint64_t)MILLISECOND);
    check();
    assert_true(model.record->bucket > 60);
}

static void fail_after(uint64_t waited_ms, bool timed_out, uint64_t at_ms)
{
    pool_count_failed(model.pool, timed_out, waited_ms * MILLISECOND,
                      origin() + at_ms * MILLISECOND);
}

// Who waits is counted in every bucket of the wait, a time-out in the last one.
static void test_waits(void **state)
{
    (void)state;
    pool_describe(model.pool, TRACE_NONE, TRACE_NONE, 1, 0);
    model.record->wait_threshold_ns = 20 * MILLISECOND;
    take(0, 1);
    fail_after(150, true, 160); // 10 ms to 160 ms: buckets 0 to 2 of 67 ms
    fail_after(30, true, 170);
    fail_after(10, true, 171); // shorter than what counts as a wait
    const struct trace_moment *moments = history()->moments;
    assert_int_equal(moments[0].waiting, 1);
    assert_int_equal(moments[1].waiting, 1);
    assert_int_equal(moments[2].waiting, 2);
    assert_int_equal(moments[2].timeouts, 2);
    assert_int_equal(moments[0].timeouts + moments[1].timeouts, 0);
    fail_after(30, true, 10000); // twice as wide
    moments = history()->moments;
    assert_int_equal(model.record->timeline.width_ns, UINT64_C(1) << 27);
    assert_int_equal(moments[0].waiting, 1);
    assert_int_equal(moments[1].waiting, 2);
    assert_int_equal(moments[1].timeouts, 2);
    assert_int_equal(model.record->timeouts, 4);
}

static void test_times(void **state)
{
    (void)state;
    const uint64_t now = origin();
    pool_count_out(model.pool, model.site[0], 5 * MILLISECOND, now);
    pool_count_out(model.pool, model.site[0], 9 * MILLISECOND, now);
    pool_count_out(model.pool, model.site[0], 40 * MILLISECOND, now);
    pool_count_out(model.pool, model.site[0], UINT64_MAX / 2, now);
    assert_int_equal(model.record->got[0], 0); // "acquires" less the others
    assert_int_equal(model.record->got[1], 1); // below 16.8 ms
    assert_int_equal(model.record->got[3], 1); // below 67 ms
    assert_int_equal(model.record->got[TRACE_TOOK_BUCKETS - 1], 1);
    pool_count_created(model.pool, 5 * MILLISECOND);
    pool_count_created(model.pool, 9 * MILLISECOND);
    assert_int_equal(model.record->created[0], 1);
    assert_int_equal(model.record->created[1], 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_random, begin, end),
        cmocka_unit_test_setup_teardown(test_silence, begin, end),
        cmocka_unit_test_setup_teardown(test_waits, begin, end),
        cmocka_unit_test_setup_teardown(test_times, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
