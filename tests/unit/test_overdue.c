// Sessions held longer than the threshold, as the recorder tells of them: which lines, how often,
// and none while a tool looks.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <unistd.h>

#include "recorder/books/overdue.h"
#include "recorder/books/sessions.h"
#include "recorder/books/sites.h"
#include "recorder/core/recorder.h"
#include "recorder_stand_in.h"

#define MS UINT64_C(1000000)

static uint32_t kind;
static uint64_t start; // when the test began
static char text[1 << 16];

static int begin(void **state)
{
    (void)state;
    recorder_options.threshold_ns = 1000 * MS;
    recorder_options.watched = false;
    snprintf(recorder_options.log, sizeof recorder_options.log, "/tmp/unclosed-test-%d.log",
             (int)getpid());
    unlink(recorder_options.log);
    stand_in_begin();
    start = recorder_now();
    recorder_trace.header->start_ns = start;
    recorder_trace.header->start_realtime = UINT64_C(1714564800) * 1000 * MS;
    recorder_trace.header->pid = 4711;
    strcpy(recorder_trace.header->exe, "/usr/bin/trader");
    kind = name_intern("test");
    overdue_begin();
    return 0;
}

static int end(void **state)
{
    (void)state;
    unlink(recorder_options.log);
    recorder_options.log[0] = 0;
    recorder_options.threshold_ns = 0;
    stand_in_end();
    return 0;
}

// What has been written so far.
static const char *written(void)
{
    FILE *file = fopen(recorder_options.log, "re");
    size_t bytes = file ? fread(text, 1, sizeof text - 1, file) : 0;
    if (file)
        fclose(file);
    text[bytes] = 0;
    return text;
}

static unsigned lines_with(const char *words)
{
    unsigned count = 0;
    for (const char *at = written(); (at = strstr(at, words)); at++)
        count++;
    return count;
}

static struct stack python_stack(uint32_t line)
{
    uint32_t ref =
        location_intern(name_intern("/srv/app.py"), name_intern("render"), line, TRACE_PYTHON);
    return (struct stack){.count = 2, .frames = {TRACE_FRAME_LOCATION | ref, 0x2000}};
}

// A moment after the begin of the test.
static uint64_t at(uint64_t ms)
{
    return start + ms * MS;
}

static void acquire(uint64_t handle, uint32_t line, uint64_t ms)
{
    const struct stack stack = python_stack(line);
    const struct acquire acquire = {
        .handle = handle, .kind = kind, .session = TRACE_CHECKOUT, .stack = &stack};
    assert_int_not_equal(session_acquired(&acquire, at(ms)), TRACE_NONE);
}

static void release(uint64_t handle, enum trace_end how, uint64_t ms)
{
    struct session session;
    assert_true(session_take(kind, handle, &session));
    session_end(&session, how, at(ms));
}

static uint64_t late(void)
{
    return site_record(1)->late;
}

static void a_line_when_it_is_noticed(void **state)
{
    (void)state;
    acquire(0x10, 7, 0);
    overdue_check(at(999));
    assert_string_equal(written(), "");
    overdue_check(at(1100));
    assert_string_equal(written(), "unclosed: 2024-05-01T12:00:01.100Z trader[4711]: checkout "
                                   "still held after 1.1 s: /srv/app.py:7 render\n");
    overdue_check(at(5000)); // once is enough
    assert_int_equal(lines_with("\n"), 1);
    assert_int_equal(late(), 0);
}

static void a_line_when_it_comes_back(void **state)
{
    (void)state;
    acquire(0x10, 7, 0);
    acquire(0x20, 7, 10);
    overdue_check(at(1005)); // one of them
    assert_int_equal(lines_with("still held after 1.0 s"), 1);
    release(0x10, TRACE_RELEASED, 1500);
    assert_int_equal(lines_with("returned late, after 1.5 s: /srv/app.py:7 render\n"), 1);
    release(0x20, TRACE_DISCARDED, 2510); // nobody had noticed it
    assert_int_equal(lines_with("returned late, after 2.5 s: "), 1);
    assert_int_equal(lines_with("\n"), 3);
    assert_int_equal(late(), 2);
    acquire(0x30, 7, 3000); // after that, all begins anew
    overdue_check(at(4001));
    assert_int_equal(lines_with("still held after 1.0 s"), 2);
}

static void in_time_there_is_none(void **state)
{
    (void)state;
    for (uint64_t i = 0; i < 100; i++) {
        acquire(0x10, 7, 100 * i);
        release(0x10, TRACE_RELEASED, 100 * i + 99);
    }
    assert_string_equal(written(), "");
    assert_int_equal(late(), 0);
}

static void a_collector_is_not_the_code(void **state)
{
    (void)state;
    acquire(0x10, 7, 0);
    release(0x10, TRACE_RECLAIMED, 2000);
    assert_int_equal(lines_with("checkout was closed by the collector after 2.0 s"), 1);
    acquire(0x20, 7, 0);
    release(0x20, TRACE_SHUTDOWN, 2000);
    acquire(0x30, 7, 0);
    acquire(0x30, 7, 3000); // a release went unseen
    assert_int_equal(lines_with("\n"), 1);
    assert_int_equal(late(), 0);
    assert_int_equal(recorder_trace.header->shutdown_ns, at(2000));
}

static void without_threshold_nothing_happens(void **state)
{
    (void)state;
    recorder_options.threshold_ns = 0;
    acquire(0x10, 7, 0);
    overdue_check(at(100000));
    assert_true(atomic_load(&overdue_due_ns) == UINT64_MAX);
    release(0x10, TRACE_RELEASED, 200000);
    assert_string_equal(written(), "");
}

static void who_is_watched_keeps_quiet(void **state)
{
    (void)state;
    acquire(0x10, 7, 0);
    acquire(0x20, 7, 0);
    recorder_trace.header->watched_ns = at(1500); // the tool has told of those two
    overdue_check(at(2000));
    release(0x10, TRACE_RELEASED, 3000);
    assert_string_equal(written(), "");
    assert_int_equal(late(), 1); // counted all the same
    acquire(0x30, 7, 3000);
    overdue_check(at(13000)); // no look for more than ten seconds
    assert_int_equal(lines_with("\n"), 1);
    assert_int_equal(lines_with("still held after 10.0 s"), 1); // the third one only
    release(0x20, TRACE_RELEASED, 14000);
    assert_int_equal(lines_with("returned late, after 14.0 s"), 1);
}

static void a_tool_that_never_comes_is_not_waited_for(void **state)
{
    (void)state;
    recorder_options.watched = true;
    acquire(0x10, 7, 0);
    overdue_check(at(2000));
    assert_string_equal(written(), "");
    overdue_check(at(10500));
    assert_int_equal(lines_with("still held after 10.5 s"), 1);
}

static void flag(uint64_t handle, uint32_t flags)
{
    struct trace_session *record =
        trace_record(&recorder_trace, TRACE_SESSIONS, session_slot(kind, handle));
    record->flags |= flags;
}

static void what_is_not_judged_is_not_told(void **state)
{
    (void)state;
    acquire(0x10, 7, 0);
    acquire(0x20, 7, 0);
    flag(0x10, TRACE_SESSION_POOLED);
    flag(0x20, TRACE_SESSION_INHERITED);
    overdue_check(at(5000));
    assert_string_equal(written(), "");
}

// Looks are 100 ms apart and tell 16 each; a site has ten lines.
static void many_are_told_in_turn(void **state)
{
    (void)state;
    for (uint64_t i = 1; i <= 40; i++)
        acquire(0x10 * i, i <= 8 ? 7 : 8, 0);
    uint64_t ms = 1001;
    for (int look = 0; look < 30; look++, ms += 10)
        overdue_check(at(ms));
    assert_int_equal(lines_with(":7 render\n"), 8);
    assert_int_equal(lines_with(":8 render\n"), 10);
    overdue_check(at(70000)); // a minute later
    assert_int_equal(lines_with("and 22 more still held after 1.0 s: /srv/app.py:8 render\n"), 1);
    overdue_finish();
    assert_int_equal(lines_with("\n"), 19);
}

static void what_goes_out_while_looking_is_not_missed(void **state)
{
    (void)state;
    acquire(0x10, 7, 0);
    overdue_check(at(1001));
    acquire(0x20, 7, 1500);
    assert_true(atomic_load(&overdue_due_ns) <= at(2500));
    overdue_check(at(2501));
    assert_int_equal(lines_with("still held"), 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(a_line_when_it_is_noticed, begin, end),
        cmocka_unit_test_setup_teardown(a_line_when_it_comes_back, begin, end),
        cmocka_unit_test_setup_teardown(in_time_there_is_none, begin, end),
        cmocka_unit_test_setup_teardown(a_collector_is_not_the_code, begin, end),
        cmocka_unit_test_setup_teardown(without_threshold_nothing_happens, begin, end),
        cmocka_unit_test_setup_teardown(who_is_watched_keeps_quiet, begin, end),
        cmocka_unit_test_setup_teardown(a_tool_that_never_comes_is_not_waited_for, begin, end),
        cmocka_unit_test_setup_teardown(what_is_not_judged_is_not_told, begin, end),
        cmocka_unit_test_setup_teardown(many_are_told_in_turn, begin, end),
        cmocka_unit_test_setup_teardown(what_goes_out_while_looking_is_not_missed, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
