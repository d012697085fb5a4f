// Suppressions: what a pattern fits, and what is refused of a file.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/stat.h>
#include <unistd.h>

#include "report/profile/suppressions.h"

static void patterns_fit(void **state)
{
    (void)state;
    const struct {
        const char *pattern, *text;
        bool fits;
    } cases[] = {
        {"get_db", "app.get_db", true},
        {"get_db", "get_d", false},
        {"^get_db", "get_db_now", true},
        {"^get_db", "app.get_db", false},
        {"get_db$", "app.get_db", true},
        {"get_db$", "get_db_now", false},
        {"^get_db$", "get_db", true},
        {"^get_db$", "get_dbget_db", false},
        {"db$", "db.db", true}, // not at the first place, but at the last one
        {"^a*b$", "ab", true},
        {"^a*b$", "axxbxb", true},
        {"^a*b$", "axxbx", false},
        {"^ab*ba$", "aba", false}, // the parts do not share a character
        {"a*b*c", "xaxbxcx", true},
        {"a*b*c", "xaxcxbx", false},
        {"a**b", "ab", true},
        {"*a*", "bab", true},
        {"a^b", "xa^b", true}, // only at the beginning
        {"a$b", "xa$b", true}, // only at the end
        {"<lambda>", "f.<locals>.<lambda>", true},
        {"", "", true},
        {"^$", "", true},
        {"^$", "a", false},
        {"aaaaaaaaaaaaaaaaaaaaab", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++)
        if (suppression_fits(cases[i].pattern, cases[i].text) != cases[i].fits)
            fail_msg("%s and %s", cases[i].pattern, cases[i].text);
}

// A pattern that makes a backtracking matcher wait for years.
static void patterns_are_quick(void **state)
{
    (void)state;
    char pattern[1024], text[4096];
    memset(text, 'a', sizeof text - 1);
    text[sizeof text - 1] = 0;
    for (size_t i = 0; i + 2 < sizeof pattern; i += 2)
        memcpy(pattern + i, "a*", 2);
    memcpy(pattern + sizeof pattern - 2, "b", 2);
    assert_false(suppression_fits(pattern, text));
}

struct file {
    char path[64];
    struct suppressions suppressions;
};

static int set_up(void **state)
{
    static struct file file;
    strcpy(file.path, "/tmp/unclosed-test-XXXXXX");
    int fd = mkstemp(file.path);
    assert_true(fd >= 0);
    close(fd);
    file.suppressions = (struct suppressions){.arena = arena_new()};
    *state = &file;
    return 0;
}

static int tear_down(void **state)
{
    struct file *file = *state;
    arena_free(file->suppressions.arena);
    unlink(file->path);
    return 0;
}

static void write_bytes(const char *path, const char *bytes, size_t count)
{
    FILE *out = fopen(path, "we");
    assert_non_null(out);
    assert_int_equal(fwrite(bytes, 1, count, out), count);
    assert_int_equal(fclose(out), 0);
}

static const char *read_again(struct file *file, bool found, const char **warning)
{
    return suppressions_read(&file->suppressions, file->path, found, warning);
}

static void files_are_read(void **state)
{
    struct file *file = *state;
    const char *warning;
    static const char text[] =
        "# a comment\n\n  leak:one  \r\n# why\ncheckout:two # three\nleak:end";
    write_bytes(file->path, text, sizeof text - 1);
    assert_null(read_again(file, false, &warning));
    const struct {
        const char *kind, *pattern, *reason;
        unsigned line;
    } expected[] = {
        {"leak", "one", "", 3}, {"checkout", "two # three", "why", 5}, {"leak", "end", "", 6}};
    assert_int_equal(file->suppressions.list.count, 3);
    for (size_t i = 0; i < 3; i++) {
        const struct suppression *one = &file->suppressions.list.item[i];
        assert_string_equal(one->kind, expected[i].kind);
        assert_string_equal(one->pattern, expected[i].pattern);
        assert_string_equal(one->reason, expected[i].reason);
        assert_int_equal(one->line, expected[i].line);
    }
}

static void bad_lines_are_named(void **state)
{
    struct file *file = *state;
    static const char *const lines[] = {
        "one",      "race:one", ":one",      "leak:",        "leak:*",
        "leak:^*$", "Leak:one", "leak:a\tb", "leak:\x1b[2J", "leak"};
    for (size_t i = 0; i < sizeof lines / sizeof *lines; i++) {
        char text[64], place[80];
        const char *warning;
        int length = snprintf(text, sizeof text, "leak:good\n#\n%s\n", lines[i]);
        write_bytes(file->path, text, (size_t)length);
        const char *fault = read_again(file, false, &warning);
        (void)snprintf(place, sizeof place, "%s:3: ", file->path);
        if (!fault || strncmp(fault, place, strlen(place)) != 0)
            fail_msg("%s: %s", lines[i], fault ? fault : "no fault");
    }
}

static void sizes_are_bounded(void **state)
{
    struct file *file = *state;
    const char *warning;
    enum { BYTES = (1 << 20) + 1 };
    char *text = calloc(1, BYTES);
    assert_non_null(text);
    memset(text, '#', BYTES);
    write_bytes(file->path, text, BYTES);
    assert_non_null(strstr(read_again(file, false, &warning), "larger"));
    memset(text, 'x', 2000);
    memcpy(text, "leak:", 5);
    write_bytes(file->path, text, 2000);
    assert_non_null(strstr(read_again(file, false, &warning), ":1: the pattern is longer"));
    for (size_t i = 0; i < 4097; i++)
        memcpy(text + i * 7, "leak:a\n", 7);
    write_bytes(file->path, text, 4097 * 7);
    assert_non_null(strstr(read_again(file, false, &warning), ":4097: there are more than"));
    free(text);
    unlink(file->path);
    assert_int_equal(mkfifo(file->path, 0600), 0); // nobody writes to it: no waiting
    assert_non_null(strstr(read_again(file, false, &warning), "not a regular file"));
    unlink(file->path);
    assert_non_null(strstr(read_again(file, false, &warning), "No such file"));
}

static void files_of_others_are_not_used_unasked(void **state)
{
    struct file *file = *state;
    const char *warning;
    write_bytes(file->path, "leak:a\n", 7);
    assert_int_equal(chmod(file->path, 0666), 0);
    assert_null(read_again(file, true, &warning));
    assert_non_null(strstr(warning, "anybody may write to it"));
    assert_int_equal(chmod(file->path, 0644), 0);
    if (geteuid() == 0) {
        assert_int_equal(chown(file->path, 12345, 12345), 0);
        assert_null(read_again(file, true, &warning));
        assert_non_null(strstr(warning, "belongs to another user"));
    }
    assert_int_equal(file->suppressions.list.count, 0);
    assert_null(read_again(file, false, &warning)); // but named, they are
    assert_null(warning);
    assert_int_equal(file->suppressions.list.count, 1);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(patterns_fit), cmocka_unit_test(patterns_are_quick),
        TEST(files_are_read),           TEST(bad_lines_are_named),
        TEST(sizes_are_bounded),        TEST(files_of_others_are_not_used_unasked),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
