// Texts of `unclosed top`: widths, cuts, numbers and times of few columns.
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "cli/top/text.h"

static int set_up(void **state)
{
    *state = arena_new();
    return setlocale(LC_CTYPE, "C.UTF-8") ? 0 : -1;
}

static int tear_down(void **state)
{
    arena_free(*state);
    (void)setlocale(LC_CTYPE, "C");
    return 0;
}

static void test_columns(void **state)
{
    (void)state;
    assert_int_equal(top_text_columns(""), 0);
    assert_int_equal(top_text_columns("abc"), 3);
    assert_int_equal(top_text_columns("größe"), 5);
    assert_int_equal(top_text_columns("注文"), 4);      // two columns each
    assert_int_equal(top_text_columns("e\xcc\x81"), 1); // a combining accent
    assert_int_equal(top_text_columns("a\033[2Jb"), 6); // no sequence gets through
    assert_int_equal(top_text_columns("\xc3"), 1);      // broken at the end
    assert_int_equal(top_text_columns("\xff\xfe"
                                      "a"),
                     3); // no UTF-8
}

static void test_what_a_terminal_should_not_get(void **state)
{
    (void)state;
    static const char *const texts[] = {"\033", "\n", "\xc2\x9b", "\x7f", "\xc3", "\xed\xa0\x80"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        const char *at = texts[i];
        unsigned columns;
        assert_int_equal(top_text_next(&at, &columns), L'?');
        assert_int_equal(columns, 1);
        assert_true(at > texts[i]);
    }
}

static void test_other_locales_get_ascii(void **state)
{
    assert_non_null(setlocale(LC_CTYPE, "C"));
    const char *at = "é";
    unsigned columns;
    assert_int_equal(top_text_next(&at, &columns), L'?');
    assert_int_equal(*at, 0);
    assert_string_equal(top_text_fit(*state, "abcdef", 4), "abc~");
}

static void test_fit(void **state)
{
    assert_string_equal(top_text_fit(*state, "abc", 5), "abc  ");
    assert_string_equal(top_text_fit(*state, "abc", 3), "abc");
    assert_string_equal(top_text_fit(*state, "abcd", 3), "ab…");
    assert_string_equal(top_text_fit(*state, "abcd", 0), "");
    assert_string_equal(top_text_right(*state, "abc", 5), "  abc");
    assert_string_equal(top_text_fit(*state, "注文書", 5), "注文…");
    assert_string_equal(top_text_fit(*state, "注文書", 4), "注… "); // half of one does not fit
    for (unsigned columns = 0; columns < 20; columns++)
        assert_int_equal(top_text_columns(top_text_fit(*state, "a注文é書b", columns)), columns);
}

static void test_places(void **state)
{
    const char *place = "ui/pages/settings.py:214 SettingsTab.render";
    assert_string_equal(top_text_place(*state, place, 44),
                        "ui/pages/settings.py:214 SettingsTab.render ");
    assert_string_equal(top_text_place(*state, place, 43), place);
    assert_string_equal(top_text_place(*state, place, 42),
                        "…/pages/settings.py:214 SettingsTab.render");
    assert_string_equal(top_text_place(*state, place, 36), "…/settings.py:214 SettingsTab.render");
    assert_string_equal(top_text_place(*state, place, 20), "…/settings.py:214 S…");
    assert_string_equal(top_text_place(*state, "main (a/b/c+0x1)", 8), "main (a…");
    assert_string_equal(top_text_place(*state, "/", 0), "");
}

static void test_times(void **state)
{
    static const struct {
        uint64_t ns;
        const char *text;
    } times[] = {
        {0, "<1 ms"},
        {999999, "<1 ms"},
        {1000000, "1 ms"},
        {999999999, "999 ms"},
        {1000000000, "1.0 s"},
        {99999999999, "99.9 s"},
        {100000000000, "1m40s"},
        {5999000000000, "99m59s"},
        {6000000000000, "1h40m"},
        {172799000000000, "47h59m"},
        {172800000000000, "2d00h"},
        {8640000000000000, "100d"},
        {UINT64_MAX, "213503d"},
    };
    for (size_t i = 0; i < sizeof times / sizeof times[0]; i++)
        assert_string_equal(top_text_time(*state, times[i].ns), times[i].text);
}

static void test_numbers(void **state)
{
    assert_string_equal(top_text_number(*state, 0), "0");
    assert_string_equal(top_text_number(*state, 99999), "99999");
    assert_string_equal(top_text_number(*state, 100000), "100.0k");
    assert_string_equal(top_text_number(*state, 999949), "999.9k");
    assert_string_equal(top_text_number(*state, 999950), "1.0M");
    assert_string_equal(top_text_number(*state, UINT64_MAX), "18.4E");
    assert_string_equal(top_text_rate(*state, 0), "0");
    assert_string_equal(top_text_rate(*state, 0.05), "0.05");
    assert_string_equal(top_text_rate(*state, 0.996), "1.0");
    assert_string_equal(top_text_rate(*state, 99.96), "100");
    assert_string_equal(top_text_rate(*state, 12345), "12.3k");
    assert_string_equal(top_text_change(*state, 0), "0");
    assert_string_equal(top_text_change(*state, 3), "+3");
    assert_string_equal(top_text_change(*state, -2), "-2");
    assert_string_equal(top_text_change(*state, INT64_MIN), "-9.2E");
}

static void test_bars(void **state)
{
    assert_string_equal(top_text_bar(*state, 0, 30, 12), "[      0/30]");
    assert_string_equal(top_text_bar(*state, 1, 30, 12), "[|     1/30]"); // some is not none
    assert_string_equal(top_text_bar(*state, 15, 30, 12), "[|||||15/30]");
    assert_string_equal(top_text_bar(*state, 12, 30, 16), "[||||||   12/30]");
    assert_string_equal(top_text_bar(*state, 40, 30, 16), "[|||||||||40/30]"); // never beyond
    assert_string_equal(top_text_bar(*state, 7, 0, 8), "[     7]");
    assert_string_equal(top_text_bar(*state, 123456, 234567, 8), "[|||   ]"); // no room to say it
}

static void test_sparks(void **state)
{
    static const uint64_t numbers[] = {UINT64_MAX, 0, 1, 4, 8};
    assert_string_equal(top_text_spark(*state, numbers, 5), " ▁▃▅█");
    static const uint64_t nothing[] = {0, 0};
    assert_string_equal(top_text_spark(*state, nothing, 2), "▁▁");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_columns, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_what_a_terminal_should_not_get, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_other_locales_get_ascii, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_fit, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_places, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_times, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_numbers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_bars, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sparks, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
