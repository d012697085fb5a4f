// Reports on how sessions come and go: churn, the size of pools, who waits; and whose they are: by
// test, and in a `with` statement.
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <unistd.h>

#include "report_fixture.h"

// Sessions of one site: `count` in 5 s, all of them held for the time of a bucket.
static void add_loop(struct trace_builder *builder, unsigned line, enum trace_kind kind,
                     uint32_t count, int bucket)
{
    const struct builder_frame frames[] = {{"/srv/trader/loop.py", line, "poll"}, {0}};
    struct trace_site *site = builder_site(builder, kind, builder_stack(builder, frames), NULL);
    site->ended[TRACE_RELEASED] = count;
    site->hold[bucket] = count;
    site->last_ns = site->first_ns + 5 * BUILDER_SECOND;
    site->longest_ns = 70 * BUILDER_SECOND;
}

static void tight_loops_are_churn(void **state)
{
    struct fixture *fixture = *state;
    struct trace_builder builder;
    builder_begin(&builder, fixture->path);
    add_loop(&builder, 1, TRACE_HANDLE, 400, 11);   // 80 a second, of 1.024 to 2.048 ms
    add_loop(&builder, 2, TRACE_CHECKOUT, 100, 11); // 20 a second
    add_loop(&builder, 3, TRACE_HANDLE, 99, 11);    // less
    add_loop(&builder, 4, TRACE_HANDLE, 400, 18);   // of 131 to 262 ms: work
    add_loop(&builder, 5, TRACE_STATEMENT, 400, 11);
    builder_end(&builder);
    json_t *root = json_of_file(fixture->path);
    const json_t *churn = json_object_get(site_at(root, "loop.py", 1), "churn");
    assert_true(json_real_value(json_object_get(churn, "rate")) == 80.0);
    double median = json_real_value(json_object_get(churn, "median_hold"));
    assert_true(median > 1.5e-3 && median < 1.6e-3); // the middle of the bucket
    assert_int_equal(number(site_at(root, "loop.py", 1), "never_closed"), 0);
    assert_non_null(json_object_get(site_at(root, "loop.py", 2), "churn"));
    for (json_int_t line = 3; line <= 5; line++)
        assert_null(json_object_get(site_at(root, "loop.py", line), "churn"));
    json_decref(root);
    char *text = text_of_file(fixture->path);
    assert_non_null(strstr(text,
                           "churn: opened again and again, for a moment each\n"
                           "      loop.py:1 poll\n"
                           "        400 handles · 80.0 per second · median hold about 1.5 ms · "
                           "longest 70.0 s\n"));
    assert_non_null(strstr(text, "loop.py:2 poll\n        100 checkouts · 20.0 per second"));
    assert_null(strstr(text, "loop.py:3"));
    free(text);
    const char *const sources[] = {fixture->path};
    text =
        printed(&(struct report_request){.sources = sources, .source_count = 1, .render.limit = 1},
                NULL, report_print);
    assert_non_null(strstr(text, "      and 1 more site (-n 0 for all)\n"));
    free(text);
}

// Time in which a site's process opened nothing, before it began or in another one, does not count;
// sessions still out are not short ones.
static void churn_counts_active_time_and_all_sessions(void **state)
{
    struct fixture *fixture = *state;
    const char *const paths[] = {fixture->path, fixture->other};
    for (uint32_t i = 0; i < 2; i++) {
        struct trace_builder builder;
        builder_begin(&builder, paths[i]);
        builder.writer.header->pid += i;
        add_loop(&builder, 1, TRACE_HANDLE, i ? 60 : 240, 11);
        add_loop(&builder, 2, TRACE_HANDLE, 100, 11);
        const struct builder_frame frames[] = {{"/srv/trader/loop.py", 2, "poll"}, {0}};
        uint32_t ref;
        struct trace_site *site =
            builder_site(&builder, TRACE_HANDLE, builder_stack(&builder, frames), &ref);
        site->last_ns = site->first_ns + BUILDER_SECOND;
        for (int n = 0; n < 101; n++)
            builder_session(&builder, ref, 1);
        builder_end(&builder);
    }
    json_t *root = json_of(
        &(struct report_request){.sources = (const char *const *)paths, .source_count = 2}, NULL);
    const json_t *churn = json_object_get(site_at(root, "loop.py", 1), "churn");
    assert_true(json_real_value(json_object_get(churn, "rate")) == 30.0); // 300 in 2 times 5 s
    assert_null(json_object_get(site_at(root, "loop.py", 2), "churn"));
    json_decref(root);
}

struct taker { // a site that took from a pool
    uint64_t released, reclaimed;
    uint32_t out_at_peak;
    double open_since[2]; // seconds; 0: none
};

// A pool of `size` + 1 that had 5 out 50 s after the start, and its sites.
static void write_pool_of(uint32_t size, const char *path, const struct taker *takers, int count,
                          uint64_t acquires)
{
    struct trace_builder builder;
    builder_begin(&builder, path);
    uint32_t pool_ref;
    struct trace_pool *pool = builder_pool(&builder, "libzdb", "a.db", size, 1, &pool_ref);
    pool->high_water = 5;
    pool->high_water_ns = BUILDER_START + 50 * BUILDER_SECOND;
    pool->acquires = acquires;
    for (int i = 0; i < count; i++) {
        const struct builder_frame frames[] = {{"/srv/trader/a.py", 10 + (uint32_t)i, "f"}, {0}};
        uint32_t ref = add_site(&builder, frames, takers[i].released, takers[i].reclaimed);
        struct trace_site *site = trace_record(&builder.writer, TRACE_SITES, ref);
        site->pool = pool_ref;
        site->out_at_peak = takers[i].out_at_peak;
        site->hold[18] = (uint32_t)takers[i].released; // 0.131 to 0.262 s
        site->hold[26] = (uint32_t)takers[i].reclaimed;
        site->total_hold_ns =
            takers[i].released * BUILDER_SECOND / 5 + takers[i].reclaimed * 50 * BUILDER_SECOND;
        for (int n = 0; n < 2; n++)
            if (takers[i].open_since[n] > 0)
                builder_session(&builder, ref, takers[i].open_since[n])->owner = pool_ref;
    }
    builder_end(&builder);
}

// It was full then.
static void write_pool(const char *path, const struct taker *takers, int count, uint64_t acquires)
{
    write_pool_of(4, path, takers, count, acquires);
}

static double real(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_real(value))
        fail_msg("%s is missing", key);
    return json_real_value(value);
}

static const json_t *sizing_of(const json_t *root)
{
    return json_object_get(json_array_get(json_object_get(root, "pools"), 0), "sizing");
}

// What leaked is exact where all or none of a site does, and where the sessions are still open.
static void sizing_of_a_pool_is_exact_where_it_can_be(void **state)
{
    struct fixture *fixture = *state;
    const struct taker takers[] = {
        {.released = 490, .out_at_peak = 2},                       // closes all
        {.reclaimed = 6, .out_at_peak = 2},                        // closes none
        {.released = 1, .out_at_peak = 1, .open_since = {20, 60}}, // one of them since the peak
    };
    write_pool(fixture->path, takers, 3, 495);
    json_t *root = json_of_file(fixture->path);
    const json_t *sizing = sizing_of(root);
    const double arrival = 495 / 182.3; // over the time of the run, not from the first to the last
    assert_true(fabs(real(sizing, "arrival_per_second") - arrival) < 1e-9);
    assert_true(real(sizing, "mean_hold") == 0.2); // those of the site that leaks are not in
    assert_true(fabs(real(sizing, "mean_out") - arrival * 0.2) < 1e-9);
    assert_true(json_is_true(json_object_get(sizing, "mean_hold_exact")));
    assert_int_equal(number(sizing, "high_water"), 5);
    assert_int_equal(number(sizing, "leaked_at_high_water"), 3);
    assert_int_equal(number(sizing, "needed_without_leaks"), 2);
    assert_true(json_is_true(json_object_get(sizing, "exact")));
    json_decref(root);
    char *text = text_of_file(fixture->path);
    assert_non_null(
        strstr(text, "on average: 495 acquires in 182.3 s = 2.7 per second, x 200.0 ms"));
    assert_non_null(strstr(text, "at its peak: high-water 5 - 3 held by sessions never closed = 2 "
                                 "needed without leaks: 5 are"));
    free(text);
}

static void sizing_of_a_pool_has_bounds_where_it_is_not_exact(void **state)
{
    struct fixture *fixture = *state;
    const struct taker takers[] = {
        {.released = 400, .reclaimed = 3, .out_at_peak = 5, .open_since = {20}}};
    write_pool(fixture->path, takers, 1, 404);
    json_t *root = json_of_file(fixture->path);
    const json_t *sizing = sizing_of(root);
    assert_int_equal(number(sizing, "leaked_at_high_water"), 4); // the open one and at most 3
    assert_int_equal(number(sizing, "needed_without_leaks"), 1);
    assert_true(json_is_false(json_object_get(sizing, "exact")));
    assert_true(json_is_false(json_object_get(sizing, "mean_hold_exact")));
    assert_true(real(sizing, "mean_hold") > 0.19 && real(sizing, "mean_hold") < 0.2); // the shorter
    json_decref(root);
    char *text = text_of_file(fixture->path);
    assert_non_null(
        strstr(text, "high-water 5 - 1 to 4 held by sessions never closed = 1 to 4 needed"));
    free(text);
}

// Where leaks hold all there is, nothing shows how many the others need.
static void sizing_does_not_say_that_none_is_needed(void **state)
{
    struct fixture *fixture = *state;
    const struct taker takers[] = {{.released = 50, .out_at_peak = 0},
                                   {.reclaimed = 9, .out_at_peak = 5}};
    write_pool(fixture->path, takers, 2, 59);
    char *text = text_of_file(fixture->path);
    assert_non_null(strstr(text, "at its peak: high-water 5, all held by sessions never closed; "));
    assert_null(strstr(text, "= 0 needed"));
    assert_null(strstr(text, "enough"));
    free(text);
    const struct taker maybe[] = {{.released = 50, .reclaimed = 9, .out_at_peak = 5}};
    write_pool_of(4, fixture->other, maybe, 1, 59);
    text = text_of_file(fixture->other);
    assert_non_null(strstr(text, "at most 5 held by sessions never closed = at most 5 needed"));
    free(text);
}

// A pool without a limit has no size to be chosen.
static void sizing_is_for_pools_with_a_size(void **state)
{
    struct fixture *fixture = *state;
    const struct taker takers[] = {{.released = 490, .reclaimed = 3, .out_at_peak = 5}};
    write_pool_of(TRACE_UNKNOWN, fixture->path, takers, 1, 495);
    char *text = text_of_file(fixture->path);
    assert_null(strstr(text, "on average"));
    assert_null(strstr(text, "at its peak"));
    free(text);
    json_t *root = json_of_file(fixture->path);
    assert_null(json_object_get(sizing_of(root), "mean_out"));
    assert_null(json_object_get(sizing_of(root), "needed_without_leaks"));
    json_decref(root);
}

// A pool that nothing is wrong with has numbers, and no advice; one with few acquires no average.
static void sizing_is_quiet_without_reason(void **state)
{
    struct fixture *fixture = *state;
    const struct taker takers[] = {{.released = 9, .out_at_peak = 5}};
    write_pool(fixture->path, takers, 1, 9);
    json_t *root = json_of_file(fixture->path);
    assert_int_equal(number(sizing_of(root), "needed_without_leaks"), 5);
    assert_null(json_object_get(sizing_of(root), "mean_out"));
    json_decref(root);
    char *text = text_of_file(fixture->path);
    assert_null(strstr(text, "at its peak"));
    assert_null(strstr(text, "on average"));
    free(text);
}

// One line opens sessions in three tests and outside of them; whether they are still out or were
// reclaimed, each is under its test.
static void leaks_are_under_the_test_that_opened_them(void **state)
{
    struct fixture *fixture = *state;
    struct trace_builder builder;
    builder_begin(&builder, fixture->path);
    const struct builder_frame frames[] = {{"/srv/trader/a.py", 7, "f"}, {0}};
    const char *const tests[] = {"t.py::one", "t.py::two", "t.py::good", NULL};
    const uint64_t reclaimed[] = {3, 0, 0, 4};
    for (int i = 0; i < 4; i++) {
        uint32_t ref = add_site(&builder, frames, 2, reclaimed[i]);
        struct trace_site *site = trace_record(&builder.writer, TRACE_SITES, ref);
        site->test = builder_string(&builder, tests[i]);
        site->task = builder_string(&builder, i == 0 ? "Task-1" : NULL);
        if (i == 1) {
            struct trace_session *session = builder_session(&builder, ref, 1);
            session->test = builder_string(&builder, tests[i]);
            session->task = builder_string(&builder, "Task-2");
        }
    }
    builder_end(&builder);
    const char *const sources[] = {fixture->path};
    json_t *root = json_of(&(struct report_request){.sources = sources,
                                                    .source_count = 1,
                                                    .render.group_by = GROUP_BY_TEST},
                           NULL);
    const json_t *site = site_at(root, "a.py", 7);
    assert_int_equal(json_array_size(json_object_get(site, "tests")), 2);
    const json_t *by_test = json_object_get(site, "never_closed_by_test");
    assert_int_equal(json_object_size(by_test), 2);
    assert_int_equal(number(by_test, "t.py::one"), 3);
    assert_int_equal(number(by_test, "t.py::two"), 1);
    assert_int_equal(json_array_size(json_object_get(site, "tasks")), 2);
    const json_t *groups = json_object_get(root, "groups");
    const char *const names[] = {"(no test)", "t.py::one", "t.py::two"};
    const json_int_t counts[] = {4, 3, 1};
    assert_int_equal(json_array_size(groups), 3);
    for (size_t i = 0; i < 3; i++) {
        const json_t *group = json_array_get(groups, i);
        assert_string_equal(text_of(group, "name"), names[i]);
        assert_int_equal(number(group, "never_closed"), counts[i]);
    }
    json_decref(root);
}

static size_t occurrences(const char *text, const char *part)
{
    size_t count = 0;
    for (; (text = strstr(text, part)); text++)
        count++;
    return count;
}

// Whether a report says so of a never-closed handle that line 1 of `code` opens.
static bool says_with(const struct fixture *fixture, const char *code)
{
    struct trace_builder builder;
    write_text(fixture->code, code);
    builder_begin(&builder, fixture->path);
    const struct builder_frame frames[] = {{fixture->code, 1, "f"}, {0}};
    builder_site(&builder, TRACE_HANDLE, builder_stack(&builder, frames), NULL)
        ->ended[TRACE_RECLAIMED] = 1;
    const struct builder_frame other[] = {{fixture->code, 1, "g"}, {0}};
    builder_site(&builder, TRACE_HANDLE, builder_stack(&builder, other), NULL)
        ->ended[TRACE_RECLAIMED] = 1;
    builder_end(&builder);
    char *text = text_of_file(fixture->path);
    const char *const note = "note: `with conn:` commits or rolls back, it does not close\n";
    size_t times = occurrences(text, note);
    assert_in_range(times, 0, 1);
    free(text);
    unlink(fixture->path);
    return times == 1;
}

static void with_does_not_close(void **state)
{
    const struct fixture *fixture = *state;
    assert_true(says_with(fixture, "    with sqlite3.connect(path) as db:\n"));
    assert_true(says_with(fixture, "with connect(path):\n"));
    assert_true(says_with(fixture, "    db = sqlite3.connect(path)\n    f()\n    with db:\n"));
    assert_true(says_with(fixture, "self.db = connect(path)\nwith self.db:\n"));
    assert_false(says_with(fixture, "with closing(sqlite3.connect(path)) as db:\n"));
    assert_false(says_with(fixture, "async with aiosqlite.connect(path) as db:\n"));
    assert_false(says_with(fixture, "db = sqlite3.connect(path)\nwith lock:\n"));
    assert_false(says_with(fixture, "db = sqlite3.connect(path)\ndef f(db):\n    with db:\n"));
    assert_false(says_with(fixture, "db == connect(path)\nwith db:\n"));
    assert_false(says_with(fixture, "db = sqlite3.connect(path)\n"));
}

// Field 22 of /proc/self/stat.
static uint64_t own_start_ticks(void)
{
    char text[1024];
    FILE *file = fopen("/proc/self/stat", "re");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    fclose(file);
    char *at = strrchr(text, ')');
    for (int spaces = 0; spaces < 20; spaces++)
        at = strchr(at + 1, ' ');
    return strtoull(at, NULL, 10);
}

// A count of waiters is there while the process runs, unless it went below zero.
static void waiting_is_of_now(void **state)
{
    struct fixture *fixture = *state;
    for (int running = 0; running < 2; running++)
        for (int miscounted = 0; miscounted < 2; miscounted++) {
            struct trace_builder builder;
            builder_begin(&builder, fixture->path);
            if (running) {
                builder.writer.header->pid = (uint32_t)getpid();
                builder.writer.header->ended = TRACE_ENDED_UNKNOWN;
                builder.writer.header->end_ns = 0;
                builder.writer.header->process_start_ticks = own_start_ticks();
            }
            uint32_t ref;
            struct trace_pool *pool = builder_pool(&builder, "libzdb", "a.db", 5, 0, &ref);
            pool->waiting = miscounted ? UINT32_MAX : 2;
            json_t *root = json_of_file(fixture->path);
            const json_t *pool_json = json_array_get(json_object_get(root, "pools"), 0);
            const json_t *waiting = json_object_get(pool_json, "waiting");
            if (running && !miscounted)
                assert_int_equal(json_integer_value(waiting), 2);
            else
                assert_null(waiting);
            json_decref(root);
            builder_end(&builder); // until here it is mapped, as in a process that runs
            unlink(fixture->path);
        }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(tight_loops_are_churn),
        TEST(churn_counts_active_time_and_all_sessions),
        TEST(sizing_of_a_pool_is_exact_where_it_can_be),
        TEST(sizing_of_a_pool_has_bounds_where_it_is_not_exact),
        TEST(sizing_does_not_say_that_none_is_needed),
        TEST(sizing_is_for_pools_with_a_size),
        TEST(sizing_is_quiet_without_reason),
        TEST(leaks_are_under_the_test_that_opened_them),
        TEST(with_does_not_close),
        TEST(waiting_is_of_now),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
