// Text that is safe to show: every character, every kind of bytes that are none, and the stream.
#include "shared/clean.h"

#include <locale.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>

#include <cmocka.h>

#include "report/render/text/clean_stream.h"

// The encoding as RFC 3629 has it, written down from scratch.
static size_t encode(uint32_t c, char *to)
{
    if (c < 0x80) {
        to[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        to[0] = (char)(0xc0 | c >> 6);
        to[1] = (char)(0x80 | (c & 63));
        return 2;
    }
    if (c < 0x10000) {
        to[0] = (char)(0xe0 | c >> 12);
        to[1] = (char)(0x80 | (c >> 6 & 63));
        to[2] = (char)(0x80 | (c & 63));
        return 3;
    }
    to[0] = (char)(0xf0 | c >> 18);
    to[1] = (char)(0x80 | (c >> 12 & 63));
    to[2] = (char)(0x80 | (c >> 6 & 63));
    to[3] = (char)(0x80 | (c & 63));
    return 4;
}

static bool is_dangerous(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x61c || c == 0x200e || c == 0x200f ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069);
}

static void test_every_character(void **state)
{
    (void)state;
    unsigned refused = 0;
    for (uint32_t c = 1; c <= 0x10ffff; c++) {
        char text[16] = "a";
        size_t bytes = encode(c, text + 1);
        text[1 + bytes] = 'z';
        text[2 + bytes] = 0;
        char copy[16];
        memcpy(copy, text, sizeof copy);
        clean_text(copy);
        bool surrogate = c >= 0xd800 && c < 0xe000;
        if (strcmp(copy, text) == 0) {
            assert_false(is_dangerous(c) || surrogate);
            continue;
        }
        refused++;
        assert_int_equal(copy[0], 'a');
        assert_int_equal(copy[strlen(copy) - 1], 'z');
        assert_int_equal(strspn(copy, "a? z"), strlen(copy));
    }
    assert_in_range(refused, 0x800 + 70, 0x800 + 220);
}

static void test_broken(void **state)
{
    (void)state;
    static const struct {
        const char *text, *clean;
    } cases[] = {
        {"\xff\xfe", "??"},
        {"a\xc0\x80z", "a??z"},       // too long a form of NUL
        {"\xe0\x80\x8a", "???"},      // of a newline
        {"\xed\xa0\x80", "???"},      // a surrogate
        {"\xf4\x90\x80\x80", "????"}, // beyond the last character
        {"\xc3", "?"},                // ends too early
        {"\xe2\x82z", "??z"},
        {"\x9b"
         "31m",
         "?31m"}, // CSI as a byte of its own
        {"\xc2\x9b"
         "31m",
         "?31m"}, // and as a character
        {"\033[31m", "?[31m"},
        {"a\nb\rc\td", "a b c d"},
        {"\xe2\x80\xae"
         "abc",
         "?abc"}, // right-to-left override
        {"gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80",
         "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char text[64];
        strcpy(text, cases[i].text);
        clean_text(text);
        assert_string_equal(text, cases[i].clean);
    }
}

// However a text is cut into writes, what comes out of a stream is the same, newlines kept.
static void test_stream(void **state)
{
    (void)state;
    static const char text[] =
        "a\033[2J\n\xe2\x82\xac\xf0\x9f\x98\x80\xc3\xe2\x80\xae\xff\xc2\x85z\n\xe2\x82";
    static const char clean[] = "a?[2J\n\xe2\x82\xac\xf0\x9f\x98\x80????z\n??";
    for (size_t step = 1; step <= sizeof text; step++) {
        char *out = NULL;
        size_t bytes = 0;
        FILE *under = open_memstream(&out, &bytes);
        FILE *stream = clean_stream_open(under, false);
        assert_ptr_equal(clean_stream_under(stream), under);
        assert_ptr_equal(clean_stream_under(under), under);
        for (size_t at = 0; at < sizeof text - 1; at += step) {
            size_t part = sizeof text - 1 - at < step ? sizeof text - 1 - at : step;
            assert_int_equal(fwrite(text + at, 1, part, stream), part);
            assert_int_equal(fflush(stream), 0);
        }
        assert_int_equal(fclose(stream), 0);
        fclose(under);
        assert_string_equal(out, clean);
        free(out);
    }
}

// Text for people has only what the locale has; text for programs is UTF-8 in any.
static void test_stream_without_utf8(void **state)
{
    (void)state;
    static const char text[] =
        "a \xc2\xb7 \xe2\x89\xa5 3 \xc2\xb5s \xe2\x96\x81\xe2\x96\x88 gr\xc3\xbcn\n";
    static const struct {
        const char *locale;
        bool people;
        const char *out;
    } cases[] = {
        {"C", true, "a | >= 3 us _# gr?n\n"},
        {"C", false, text},
        {"C.UTF-8", true, text},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        char *out = NULL;
        size_t bytes = 0;
        assert_non_null(setlocale(LC_CTYPE, cases[i].locale));
        FILE *under = open_memstream(&out, &bytes);
        FILE *stream = clean_stream_open(under, false);
        clean_stream_for_people(stream, cases[i].people);
        fputs(text, stream);
        fclose(stream);
        fclose(under);
        assert_string_equal(out, cases[i].out);
        free(out);
    }
}

static void test_stream_tells_of_errors(void **state)
{
    (void)state;
    FILE *full = fopen("/dev/full", "w");
    assert_non_null(full);
    FILE *stream = clean_stream_open(full, false);
    fputs("text", stream);
    assert_int_not_equal(fflush(stream), 0);
    assert_true(ferror(stream));
    fclose(stream);
    assert_true(ferror(full));
    fclose(full);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_character),
        cmocka_unit_test(test_broken),
        cmocka_unit_test(test_stream),
        cmocka_unit_test(test_stream_without_utf8),
        cmocka_unit_test(test_stream_tells_of_errors),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
