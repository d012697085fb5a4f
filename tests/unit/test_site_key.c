// Stable keys of sites: what may change in a program without changing them, and what may not.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <unistd.h>

#include "report/code/equal_lines.h"
#include "report/profile/site_key.h"
#include "report_fixture.h"

// A version of a program in Python: its source, and one site in it.
struct version {
    const char *source;
    unsigned line;
    const char *function; // as the interpreter says it
};

// The key of the only site of a version, as JSON that the caller gives back.
static json_t *key_of(const struct fixture *fixture, const struct version *version,
                      const char *file)
{
    struct trace_builder builder;
    const struct builder_frame frames[] = {{file, version->line, version->function}, {0}};
    write_text(file, version->source);
    builder_begin(&builder, fixture->path);
    add_site(&builder, frames, 0, 1);
    builder_end(&builder);
    json_t *root = json_of_file(fixture->path);
    json_t *key =
        json_deep_copy(json_object_get(json_array_get(json_object_get(root, "sites"), 0), "key"));
    json_decref(root);
    unlink(fixture->path);
    return key;
}

static void check(const struct fixture *fixture, const struct version *a, const struct version *b,
                  bool same)
{
    char moved[128];
    (void)snprintf(moved, sizeof moved, "%s/moved.py", fixture->folder);
    json_t *one = key_of(fixture, a, fixture->code);
    json_t *two = key_of(fixture, b, moved);
    unlink(moved);
    if ((strcmp(text_of(one, "text"), text_of(two, "text")) == 0) != same)
        fail_msg("%s and %s: %s %s", text_of(one, "name"), text_of(two, "name"),
                 text_of(one, "text"), text_of(two, "text"));
    json_decref(one);
    json_decref(two);
}

static const struct version before = {"import sqlite3\n"
                                      "class Store:\n"
                                      "    def save(self):\n"
                                      "        db = sqlite3.connect('a.db')\n",
                                      4, "Store.save"};

static void lines_and_files_do_not_matter(void **state)
{
    const struct version after[] = {
        {"import sqlite3\n\n\n\nclass Store:\n    x = 1\n    def save(self):\n        y = 2\n"
         "        db = sqlite3.connect('a.db')\n",
         9, "Store.save"},
        {"class Store:\n  def save(self):\n    db  =  sqlite3.connect('a.db')   # why # not\n", 3,
         "Store.save"},
        {"class Store:\n  def save(self):\n    db = sqlite3.connect('a.db')\n", 3, "save"}, // 3.8
    };
    for (size_t i = 0; i < sizeof after / sizeof *after; i++)
        check(*state, &before, &after[i], true);
}

static void other_code_is_another_site(void **state)
{
    const struct version after[] = {
        {"class Store:\n    def save(self):\n        db = sqlite3.connect('b.db')\n", 3,
         "Store.save"},
        {"class Store:\n    def load(self):\n        db = sqlite3.connect('a.db')\n", 3,
         "Store.load"},
        {"class Other:\n    def save(self):\n        db = sqlite3.connect('a.db')\n", 3, "save"},
        {"class Store:\n    def save(self):\n        db = sqlite3.connect('a.db')\n"
         "        db = sqlite3.connect('a.db')\n",
         4, "Store.save"}, // the second of equal lines
        {"class Store:\n    def save(self):\n        db = sqlite3.connect('a.db # b')\n", 3,
         "Store.save"},
    };
    for (size_t i = 0; i < sizeof after / sizeof *after; i++)
        check(*state, &before, &after[i], false);
}

// The source knows the names that interpreters before 3.11 do not.
static void names_are_qualified_by_the_source(void **state)
{
    const struct fixture *fixture = *state;
    const struct {
        struct version version;
        const char *name;
    } cases[] = {
        {{"def make():\n    return lambda: connect()\n", 2, "<lambda>"}, "make.<locals>.<lambda>"},
        {{"async def outer():\n    class C:\n        def f(self):\n            connect()\n", 4,
          "f"},
         "outer.<locals>.C.f"},
        {{"def outer():\n    def inner(): return connect()\n", 2, "inner"}, "outer.<locals>.inner"},
        {{"connect()\n", 1, "<module>"}, "app.<module>"},
        {{"f = lambda: connect()\n", 1, "<lambda>"}, "app.<lambda>"},
        {{"def main():\n    connect()\n", 2, "main"}, "app.main"},
        {{"connect()\n", 1, "block in <top (required)>"}, "app.block in <top (required)>"},
        {{"def other():\n    connect()\n", 2, "renamed_since"}, "renamed_since"},
        {{"def f(a,\n      b=(1,\n2)):\n    connect(a,\n  b)\n", 4, "f"}, "f"},
        {{"def f():\n    connect()\n", 900, "f"}, "f"}, // beyond the end
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *key = key_of(fixture, &cases[i].version, fixture->code);
        assert_string_equal(text_of(key, "name"), cases[i].name);
        json_decref(key);
    }
}

// Equal lines are counted in their own function only, as lines and not as sites that were seen.
static void equal_lines_are_numbered(void **state)
{
    const struct fixture *fixture = *state;
    const char *source = "def f():\n    a = connect()\n    a.close()\n    if x:\n"
                         "        a = connect()  # again\n\n    print(1)\n\n"
                         "def g():\n    a = connect()\n";
    const struct {
        unsigned line, ordinal, equals;
        const char *function;
    } cases[] = {{2, 1, 2, "f"}, {5, 2, 2, "f"}, {10, 1, 1, "g"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        json_t *key = key_of(fixture, &(struct version){source, cases[i].line, cases[i].function},
                             fixture->code);
        assert_int_equal(number(key, "ordinal"), cases[i].ordinal);
        assert_int_equal(number(key, "equals"), cases[i].equals);
        json_decref(key);
    }
}

static void lines_are_normalized(void **state)
{
    (void)state;
    const struct {
        const char *line, *language, *expected;
    } cases[] = {
        {"\t  rc = sqlite3_open(\"//x\",  &db); // y", "c", "rc = sqlite3_open(\"//x\", &db);"},
        {"a = 7 // 2", "python", "a = 7 // 2"},
        {"a('it\\'s # it') # b", "python", "a('it\\'s # it')"},
        {"a(\"unfinished # ", "python", "a(\"unfinished #"},
        {"", "python", ""},
        {"\\", NULL, "\\"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[64];
        equal_lines_normalize(text, sizeof text, cases[i].line, cases[i].language);
        assert_string_equal(text, cases[i].expected);
        for (size_t bytes = 1; bytes < 40; bytes++) { // however small, nothing is overwritten
            memset(text, 'x', sizeof text);
            equal_lines_normalize(text, bytes, cases[i].line, cases[i].language);
            assert_true(strlen(text) < bytes);
            assert_int_equal(text[bytes], 'x');
        }
    }
}

static void literals_are_left_out(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    assert_string_equal(site_key_without_literals(arena, "c('a\\'b', \"x'y\", 3)"),
                        "c('...', \"...\", 3)");
    assert_string_equal(site_key_without_literals(arena, "c('unfinished"), "c('...");
    assert_string_equal(site_key_without_literals(arena, "c(\"\", '')"), "c(\"\", '')");
    arena_free(arena);
}

static void files_are_never_absolute(void **state)
{
    const struct fixture *fixture = *state;
    json_t *key = key_of(fixture, &before, fixture->code);
    assert_string_equal(text_of(key, "file"), "app.py"); // neither below here nor /srv/trader
    json_decref(key);
    const struct {
        const char *file, *expected;
    } cases[] = {{"/srv/trader/lib/../src/./a.py", "src/a.py"},
                 {"../a.py", "a.py"},
                 {"x/../../../../a.py", "a.py"},
                 {"lib/a.py", "lib/a.py"}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct trace_builder builder;
        const struct builder_frame frames[] = {{cases[i].file, 1, "f"}, {0}};
        builder_begin(&builder, fixture->path);
        add_site(&builder, frames, 0, 1);
        builder_end(&builder);
        json_t *root = json_of_file(fixture->path);
        const json_t *site = json_array_get(json_object_get(root, "sites"), 0);
        assert_string_equal(text_of(json_object_get(site, "key"), "file"), cases[i].expected);
        json_decref(root);
        unlink(fixture->path);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(lines_and_files_do_not_matter),
        TEST(other_code_is_another_site),
        TEST(names_are_qualified_by_the_source),
        TEST(equal_lines_are_numbered),
        TEST(lines_are_normalized),
        TEST(literals_are_left_out),
        TEST(files_are_never_absolute),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
