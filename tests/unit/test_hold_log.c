// Lines about sessions held too long: their words, and how many are written.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <time.h>

#include "shared/hold_log.h"

#define SECOND UINT64_C(1000000000)
#define NOON (UINT64_C(1714564800) * SECOND) // 2024-05-01T12:00:00Z

static struct output {
    bool refuse;
    unsigned lines;
    char last[HOLD_LINE_BYTES + 1];
} output;

static bool take(void *data, const char *line, size_t bytes)
{
    assert_ptr_equal(data, &output);
    assert_true(bytes > 0 && bytes <= HOLD_LINE_BYTES);
    assert_int_equal(line[bytes - 1], '\n');
    assert_ptr_equal(memchr(line, '\n', bytes), line + bytes - 1); // one line
    if (output.refuse)
        return false;
    output.lines++;
    memcpy(output.last, line, bytes);
    output.last[bytes] = 0;
    return true;
}

static struct hold_log *fresh(void)
{
    static struct hold_log log;
    log = (struct hold_log){.write = take, .data = &output, .threshold_ns = 30 * SECOND};
    output = (struct output){0};
    return &log;
}

static struct hold_event event_of(uint64_t site)
{
    return (struct hold_event){.what = HOLD_OVERDUE,
                               .realtime_ns = NOON + 3602123456789,
                               .held_ns = 30 * SECOND + 40000000,
                               .site = site,
                               .program = "trader",
                               .pid = 4711,
                               .kind = "checkout",
                               .place = "ui/settings.py:214 SettingsTab.render",
                               .thread = "web-3",
                               .database = "app.db"};
}

static void a_line_reads_well(void **state)
{
    (void)state;
    struct hold_log *log = fresh();
    struct hold_event event = event_of(1);
    hold_log_event(log, &event, SECOND);
    assert_string_equal(
        output.last, "unclosed: 2024-05-01T13:00:02.123Z trader[4711]: checkout still held after "
                     "30.0 s: ui/settings.py:214 SettingsTab.render (thread web-3, db app.db)\n");
    event.what = HOLD_BACK;
    event.held_ns = 123456789;
    event.thread = "";
    hold_log_event(log, &event, SECOND);
    assert_string_equal(output.last,
                        "unclosed: 2024-05-01T13:00:02.123Z trader[4711]: checkout returned late, "
                        "after 123 ms: ui/settings.py:214 SettingsTab.render (db app.db)\n");
    event.what = HOLD_RECLAIMED;
    event.database = "";
    event.held_at_least = true;
    event.place = "evil\n\033[31m.py:1 f";
    hold_log_event(log, &event, SECOND);
    assert_string_equal(output.last,
                        "unclosed: 2024-05-01T13:00:02.123Z trader[4711]: checkout was closed by "
                        "the collector after more than 123 ms: evil ?[31m.py:1 f\n");
}

// Against libc.
static void times_are_those_of_the_calendar(void **state)
{
    (void)state;
    srand(4711);
    for (int i = 0; i < 3000; i++) {
        struct hold_log *log = fresh();
        struct hold_event event = event_of(1);
        time_t seconds = (time_t)((uint64_t)rand() * 3 + (uint64_t)i * 86400);
        struct tm utc;
        char expected[64];
        char text[96];
        assert_non_null(gmtime_r(&seconds, &utc));
        assert_true(strftime(expected, sizeof expected, "%Y-%m-%dT%H:%M:%S", &utc) > 0);
        snprintf(text, sizeof text, "unclosed: %s.007Z trader", expected);
        event.realtime_ns = (uint64_t)seconds * SECOND + 7 * SECOND / 1000;
        hold_log_event(log, &event, SECOND);
        assert_memory_equal(output.last, text, strlen(text));
    }
}

static void long_names_are_cut(void **state)
{
    (void)state;
    struct hold_log *log = fresh();
    struct hold_event event = event_of(1);
    static char name[2000];
    memset(name, 'x', sizeof name - 1);
    event.place = name;
    hold_log_event(log, &event, SECOND); // `take` checks the length
    for (int i = 0; i < HOLD_LINES_OF_SITE; i++)
        hold_log_event(log, &event, SECOND);
    hold_log_more(log, true, SECOND, NOON);
    assert_int_equal(output.lines, HOLD_LINES_OF_SITE + 1);
}

static void a_site_becomes_a_number(void **state)
{
    (void)state;
    struct hold_log *log = fresh();
    struct hold_event event = event_of(1);
    for (int i = 0; i < 25; i++)
        hold_log_event(log, &event, SECOND);
    event.what = HOLD_BACK;
    hold_log_event(log, &event, SECOND);
    assert_int_equal(output.lines, HOLD_LINES_OF_SITE);
    hold_log_more(log, false, 60 * SECOND, NOON); // not yet a minute
    assert_int_equal(output.lines, HOLD_LINES_OF_SITE);
    hold_log_more(log, false, 61 * SECOND, NOON);
    assert_string_equal(output.last, "unclosed: 2024-05-01T12:00:00.000Z and 15 more still held "
                                     "after 30.0 s, 1 more returned late, after more than 30.0 s: "
                                     "ui/settings.py:214 SettingsTab.render\n");
    hold_log_more(log, true, 200 * SECOND, NOON); // nothing is left
    assert_int_equal(output.lines, HOLD_LINES_OF_SITE + 1);
    event.site = 2; // another one has lines of its own
    hold_log_event(log, &event, SECOND);
    assert_int_equal(output.lines, HOLD_LINES_OF_SITE + 2);
}

// The sum of all numbers told is what happened.
static void nothing_is_forgotten(void **state)
{
    (void)state;
    struct hold_log *log = fresh();
    for (uint64_t site = 1; site <= 3 * HOLD_SITES; site++) {
        struct hold_event event = event_of(site);
        hold_log_event(log, &event, SECOND);
    }
    assert_int_equal(output.lines, HOLD_LINES_A_MINUTE);
    hold_log_more(log, true, SECOND, NOON);
    assert_int_equal(output.lines, HOLD_LINES_A_MINUTE + 11);
    char expected[128];
    snprintf(expected, sizeof expected, " and %d more still held after 30.0 s: other sites\n",
             3 * HOLD_SITES - HOLD_LINES_A_MINUTE - 10);
    assert_non_null(strstr(output.last, expected));
    struct hold_event event = event_of(1); // the next minute
    hold_log_event(log, &event, 62 * SECOND);
    assert_int_equal(output.lines, HOLD_LINES_A_MINUTE + 12);
}

static void what_cannot_be_written_is_told_later(void **state)
{
    (void)state;
    struct hold_log *log = fresh();
    struct hold_event event = event_of(1);
    output.refuse = true;
    hold_log_event(log, &event, SECOND);
    output.refuse = false;
    hold_log_more(log, false, 70 * SECOND, NOON);
    assert_non_null(strstr(output.last, " and 1 more still held after 30.0 s: ui/settings.py:214"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_line_reads_well),
        cmocka_unit_test(times_are_those_of_the_calendar),
        cmocka_unit_test(long_names_are_cut),
        cmocka_unit_test(a_site_becomes_a_number),
        cmocka_unit_test(nothing_is_forgotten),
        cmocka_unit_test(what_cannot_be_written_is_told_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
