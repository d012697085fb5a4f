// Call specs: each form of the language, each error with its place, garbage, and where the texts of
// specs come from. The shipped specs are parsed too.
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "shared/spec.h"
#include "shared/specs.h"

static struct spec specs[SPECS_CAPACITY];

// Parses a text with one spec in it and returns that.
static const struct spec *parse_one(const char *text)
{
    struct spec_error error = {0};
    int count = spec_parse(text, NULL, specs, SPECS_CAPACITY, &error);
    if (count < 0)
        fail_msg("%s: %d:%d: %s", text, error.line, error.column, error.message);
    assert_int_equal(count, 1);
    return specs;
}

static void out_parameter(void **state)
{
    (void)state;
    const struct spec *spec = parse_one("acquire apr_reslist_acquire(pool, *handle) -> 0");
    assert_int_equal(spec->verb, TRACE_ACQUIRE);
    assert_string_equal(spec->function, "apr_reslist_acquire");
    assert_string_equal(spec->kind, "pool");
    assert_int_equal(spec->session, TRACE_CHECKOUT);
    assert_int_equal(spec->argument_count, 2);
    assert_int_equal(spec->argument[0].role, SPEC_POOL);
    assert_int_equal(spec->argument[1].role, SPEC_HANDLE_OUT);
    assert_int_equal(spec->result, SPEC_RESULT_STATUS);
    assert_int_equal(spec->status_count, 1);
    assert_int_equal(spec->status[0], 0);
    assert_false(spec->python);
    assert_false(spec->asked);
    assert_false(spec->kept_on_failure);
}

static void result_handle(void **state)
{
    (void)state;
    const struct spec *spec = parse_one("acquire ConnectionPool_getConnection(pool)->handle");
    assert_int_equal(spec->result, SPEC_RESULT_HANDLE);
    assert_int_equal(spec->status_count, 0);
    spec = parse_one("acquire get() -> handle");
    assert_int_equal(spec->argument_count, 0);
}

static void every_verb(void **state)
{
    (void)state;
    assert_int_equal(parse_one("release f(handle)")->verb, TRACE_RELEASE);
    assert_int_equal(parse_one("discard f(handle)")->verb, TRACE_DISCARD);
    assert_int_equal(parse_one("fill f(*pool)")->verb, TRACE_FILL);
    assert_int_equal(parse_one("fill f()")->verb, TRACE_FILL);
    assert_int_equal(parse_one("use f(handle)")->verb, TRACE_USE);
    assert_int_equal(parse_one("size f(pool, size)")->verb, TRACE_SIZE);
    assert_int_equal(parse_one("release f(*handle)")->argument[0].role, SPEC_HANDLE_OUT);
}

static void every_role(void **state)
{
    (void)state;
    const struct spec *spec = parse_one("acquire f(_, pool, name, database, size, *handle)");
    static const uint8_t roles[] = {SPEC_IGNORED,  SPEC_POOL, SPEC_POOL_NAME,
                                    SPEC_DATABASE, SPEC_SIZE, SPEC_HANDLE_OUT};
    assert_int_equal(spec->argument_count, 6);
    for (int i = 0; i < 6; i++)
        assert_int_equal(spec->argument[i].role, roles[i]);
    assert_int_equal(parse_one("fill f(size, *pool)")->argument[1].role, SPEC_POOL_OUT);
    spec = parse_one("release f(2, -1, 0x10, handle)");
    assert_int_equal(spec->argument[0].role, SPEC_EQUALS);
    assert_int_equal(spec->argument[0].equals, 2);
    assert_int_equal(spec->argument[1].equals, -1);
    assert_int_equal(spec->argument[2].equals, 16);
}

static void more_arguments(void **state)
{
    (void)state;
    assert_int_equal(parse_one("use f(handle, ...)")->argument_count, 1);
    assert_int_equal(parse_one("acquire f(...) -> handle")->argument_count, 0);
    assert_int_equal(parse_one("use f(_,_,_,_,_,handle,...)")->argument_count, 6);
}

static void every_result(void **state)
{
    (void)state;
    const struct spec *spec = parse_one("acquire f(handle) -> 0 | 1|-3|0xffffffff");
    assert_int_equal(spec->status_count, 4);
    assert_int_equal(spec->status[1], 1);
    assert_int_equal(spec->status[2], -3);
    assert_int_equal(spec->status[3], -1);
    assert_int_equal(parse_one("release f(handle) -> !0")->result, SPEC_RESULT_NONZERO);
    assert_int_equal(parse_one("fill f(size) -> pool")->result, SPEC_RESULT_POOL);
    assert_int_equal(parse_one("size f(size) -> pool")->result, SPEC_RESULT_POOL);
    assert_int_equal(parse_one("release f(handle)")->result, SPEC_RESULT_IGNORED);
}

static void kept_on_failure(void **state)
{
    (void)state;
    const struct spec *spec = parse_one("acquire sqlite3_open(database, *handle) -> 0 or handle");
    assert_int_equal(spec->result, SPEC_RESULT_STATUS);
    assert_true(spec->kept_on_failure);
    assert_true(parse_one("acquire f(*handle) -> !0 or handle")->kept_on_failure);
}

static void python_methods(void **state)
{
    (void)state;
    const struct spec *spec = parse_one(
        "acquire python:psycopg_pool.pool:ConnectionPool.getconn(self=pool, timeout=_) -> handle");
    assert_true(spec->python);
    assert_string_equal(spec->function, "psycopg_pool.pool:ConnectionPool.getconn");
    assert_string_equal(spec->argument[0].name, "self");
    assert_int_equal(spec->argument[0].role, SPEC_POOL);
    assert_string_equal(spec->argument[1].name, "timeout");
    assert_int_equal(spec->argument[1].role, SPEC_IGNORED);
    spec = parse_one("release python:m:f.<locals>.g(pool, conn = handle)");
    assert_string_equal(spec->function, "m:f.<locals>.g");
    assert_string_equal(spec->argument[0].name, "");
    assert_string_equal(spec->argument[1].name, "conn");
}

static void kinds(void **state)
{
    (void)state;
    struct spec_error error;
    const char *text = "use a(handle); kind libzdb # one\nuse b(handle)\n\n"
                       "kind sqlite3 handle;use c(handle);;kind x-1.0+;\tuse d(handle)\r\n";
    assert_int_equal(spec_parse(text, "first", specs, SPECS_CAPACITY, &error), 4);
    assert_string_equal(specs[0].kind, "first");
    assert_string_equal(specs[1].kind, "libzdb");
    assert_int_equal(specs[1].session, TRACE_CHECKOUT);
    assert_string_equal(specs[2].kind, "sqlite3");
    assert_int_equal(specs[2].session, TRACE_HANDLE);
    assert_string_equal(specs[3].kind, "x-1.0+");
    assert_int_equal(specs[3].session, TRACE_CHECKOUT);
}

static void counted_kinds(void **state)
{
    (void)state;
    struct spec_error error;
    const char *text = "kind a counted\nuse f(handle)\nkind b\nuse f(handle)\n"
                       "kind c counted handle kept bound\nuse f(handle)\n";
    assert_int_equal(spec_parse(text, NULL, specs, SPECS_CAPACITY, &error), 3);
    assert_true(specs[0].counted);
    assert_int_equal(specs[0].session, TRACE_CHECKOUT);
    assert_false(specs[1].counted);
    assert_true(specs[2].counted);
    assert_false(specs[0].kept);
    assert_true(specs[2].kept);
    assert_false(specs[0].bound);
    assert_true(specs[2].bound);
    assert_int_equal(specs[2].session, TRACE_HANDLE);
}

// What is said of a pool's class holds until the next kind.
static void settings(void **state)
{
    (void)state;
    struct spec_error error;
    const char *text = "kind a; drop = lost; size = max_size | queue.limit\nuse f(handle)\n"
                       "drop=returned\nuse g(handle)\nkind b\nuse h(handle)\n";
    assert_int_equal(spec_parse(text, NULL, specs, SPECS_CAPACITY, &error), 3);
    assert_true(specs[0].lost);
    assert_string_equal(specs[0].size, "max_size|queue.limit");
    assert_false(specs[1].lost);
    assert_string_equal(specs[1].size, "max_size|queue.limit");
    assert_false(specs[2].lost);
    assert_string_equal(specs[2].size, "");
}

static void success(void **state)
{
    (void)state;
    assert_true(spec_succeeded(parse_one("release f(handle)"), 0));
    assert_true(spec_succeeded(parse_one("acquire f() -> handle"), 0x100000000));
    assert_false(spec_succeeded(parse_one("acquire f() -> handle"), 0));
    assert_false(spec_succeeded(parse_one("fill f() -> pool"), 0));
    const struct spec *spec = parse_one("release f(handle) -> 0|-2");
    assert_true(spec_succeeded(spec, 0xabcd00000000));
    assert_true(spec_succeeded(spec, 0xfffffffe));
    assert_false(spec_succeeded(spec, 0x10000));
    spec = parse_one("release f(handle) -> int16 0|1");
    assert_int_equal(spec->status_count, 2);
    assert_true(spec_succeeded(spec, 0x30001));
    assert_false(spec_succeeded(spec, 0xffff));
    assert_true(spec_succeeded(parse_one("release f(handle) -> int16 -1"), 0xffff));
    spec = parse_one("release f(handle) -> int8 !0");
    assert_false(spec_succeeded(spec, 0x100));
    assert_true(spec_succeeded(spec, 0x101));
    assert_true(spec_succeeded(parse_one("release f(handle) -> !0"), 0x100));
}

static void nothing(void **state)
{
    (void)state;
    struct spec_error error;
    static const char *const texts[] = {"", "\n\n", "# only; a comment", " ; ;\t;", "kind a"};
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
        assert_int_equal(spec_parse(texts[i], NULL, specs, SPECS_CAPACITY, &error), 0);
}

static void counts_beyond_capacity(void **state)
{
    (void)state;
    struct spec_error error;
    struct spec two[2];
    memset(two, 0x55, sizeof two);
    const char *text = "use a(handle)\nuse b(handle)\nuse c(handle)";
    assert_int_equal(spec_parse(text, NULL, two, 1, &error), 3);
    assert_string_equal(two[0].function, "a");
    assert_int_equal(two[1].verb, 0x55);
    assert_int_equal(spec_parse(text, NULL, NULL, 0, &error), 3);
}

static const struct {
    const char *text;
    int line, column;
    const char *message; // a part of it
} bad[] = {
    {"acqire f(pool) -> handle", 1, 1, "expected acquire, release, discard, fill"},
    {"acqire f(pool) -> handle", 1, 1, "found 'acqire'"},
    {"  (", 1, 3, "expected acquire"},
    {"acquire", 1, 8, "expected the name of a function, found the end"},
    {"acquire 3f(handle)", 1, 9, "name of a function"},
    {"acquire f", 1, 10, "expected ( after the name"},
    {"acquire f.g(handle)", 1, 10, "expected ( after the name"},
    {"acquire f(", 1, 11, "expected an argument"},
    {"acquire f(pol)", 1, 11, "found 'pol'"},
    {"acquire f(*name)", 1, 11, "expected an argument"},
    {"acquire f(handle", 1, 17, "expected , or )"},
    {"acquire f(handle pool)", 1, 18, "expected , or ) after an argument, found 'pool'"},
    {"acquire f(handle,)", 1, 18, "expected an argument"},
    {"acquire f(..., handle)", 1, 14, "expected ) after ..."},
    {"acquire f(0x)", 1, 11, "expected an integer"},
    {"acquire f(12ab)", 1, 11, "expected an integer"},
    {"acquire f(-)", 1, 11, "expected an integer"},
    {"acquire f(99999999999999999999)", 1, 11, "expected an integer"},
    {"acquire f(pool)", 1, 9, "an acquire needs its handle"},
    {"acquire f(pool) -> 0", 1, 9, "an acquire needs its handle"},
    {"release f(pool)", 1, 9, "expected handle or *handle"},
    {"discard f(pool)", 1, 9, "expected handle or *handle"},
    {"use f()", 1, 5, "expected handle or *handle"},
    {"fill f(pool, handle)", 1, 6, "fill opens handles"},
    {"size f(pool)", 1, 6, "expected size and pool"},
    {"size f(size)", 1, 6, "expected size and pool"},
    {"release f(handle, handle)", 1, 19, "a second argument of this meaning"},
    {"acquire f(handle, *handle)", 1, 19, "a second argument of this meaning"},
    {"fill f(pool, *pool)", 1, 14, "a second argument of this meaning"},
    {"acquire f(handle) -> handle", 1, 22,
     "that is an argument already; one is expected, found 'handle'"},
    {"fill f(pool) -> pool", 1, 17, "that is an argument already"},
    {"release f(pool) -> handle", 1, 20, "only an acquire has its handle as result"},
    {"acquire f(handle) -> pool", 1, 22, "only fill and size"},
    {"release f(_,_,_,_,_,_,handle)", 1, 23, "at most 6 arguments"},
    {"release f(handle) ->", 1, 21, "expected a result"},
    {"release f(handle) -> ok", 1, 22, "found 'ok'"},
    {"release f(handle) -> 0|", 1, 24, "expected a result"},
    {"release f(handle) -> 5000000000", 1, 22, "expected a result"},
    {"release f(handle) -> 0|1|2|3|4", 1, 30, "at most 4 values"},
    {"release f(handle) -> 0 x", 1, 24, "expected 'or handle' or the end"},
    {"acquire f(*handle) -> 0 or", 1, 27, "expected handle after or"},
    {"acquire f(*handle) -> 0 or pool", 1, 28, "expected handle after or"},
    {"release f(handle) -> 0 or handle", 1, 24, "for an acquire that has *handle"},
    {"acquire f() -> 0 or handle", 1, 18, "for an acquire that has *handle"},
    {"release f(handle) > 0", 1, 19, "expected -> RESULT or the end of the line, found '>'"},
    {"acquire f() -> handle 0", 1, 23, "expected -> RESULT or the end of the line"},
    {"release f(a=handle)", 1, 11, "only python:"},
    {"release python:f(handle)", 1, 16, "expected python:MODULE:QUALIFIED.NAME"},
    {"release python::f(handle)", 1, 16, "expected python:MODULE:QUALIFIED.NAME"},
    {"release python:m:(handle)", 1, 16, "expected python:MODULE:QUALIFIED.NAME"},
    {"release python:m:f:g(handle)", 1, 16, "expected python:MODULE:QUALIFIED.NAME"},
    {"acquire python:m:f(*handle)", 1, 20, "no out-parameters"},
    {"acquire python:m:f(a_name_that_is_too_long_for_anything=handle)", 1, 20, "too long"},
    {"kind", 1, 5, "expected the name of the kind"},
    {"kind a b", 1, 8, "expected handle, counted, kept, bound or the end of the line, found 'b'"},
    {"kind a handle b", 1, 15, "expected handle, counted, kept, bound or the end"},
    {"kind a counted (", 1, 16, "expected handle, counted, kept, bound or the end"},
    {"drop = gone", 1, 8, "expected lost or returned, found 'gone'"},
    {"drop lost", 1, 1, "expected acquire, release, discard, fill, use, size, drop or kind"},
    {"drop = lost too", 1, 13, "expected the end of the line, found 'too'"},
    {"size = 3", 1, 8, "expected the name of an attribute, found '3'"},
    {"size = a |", 1, 11, "expected the name of an attribute"},
    {"size = a_name_that_is_a_little_longer|than_all_that_may_be_kept_of_them", 1, 39, "too long"},
    {"release f(handle) -> int16", 1, 27, "expected a result"},
    {"release f(handle) -> int64 0", 1, 22, "expected a result"},
    {"acquire f() -> int16 handle", 1, 22, "expected a result"},
    {"kind a_name_that_is_a_little_longer_than_40_bytes", 1, 6, "too long"},
    {"use f(handle)\n# acqire\n\n\tuse g(handle); use h(", 4, 23, "expected an argument"},
};

static void errors_name_their_place(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct spec_error error = {0};
        if (spec_parse(bad[i].text, NULL, specs, SPECS_CAPACITY, &error) >= 0)
            fail_msg("'%s' was accepted", bad[i].text);
        if (error.line != bad[i].line || error.column != bad[i].column ||
            !strstr(error.message, bad[i].message))
            fail_msg("'%s': expected %d:%d: ...%s..., got %d:%d: %s", bad[i].text, bad[i].line,
                     bad[i].column, bad[i].message, error.line, error.column, error.message);
    }
}

static void long_names_are_refused(void **state)
{
    (void)state;
    struct spec_error error;
    char text[SPEC_NAME_BYTES + 40];
    for (int bytes = SPEC_NAME_BYTES - 1; bytes <= SPEC_NAME_BYTES; bytes++) {
        char name[SPEC_NAME_BYTES + 1];
        memset(name, 'x', sizeof name);
        (void)snprintf(text, sizeof text, "use %.*s(handle)", bytes, name);
        int count = spec_parse(text, NULL, specs, SPECS_CAPACITY, &error);
        assert_int_equal(count, bytes < SPEC_NAME_BYTES ? 1 : -1);
    }
    const char *kind = "a_kind_from_elsewhere_that_is_too_long_for_it";
    assert_int_equal(spec_parse("use f(handle)", kind, specs, 1, &error), -1);
}

// A message is always whole, whatever was found in the text.
static void messages_fit(void **state)
{
    (void)state;
    struct spec_error error;
    char text[400] = "acquire f(";
    memset(text + strlen(text), '\xff', 300);
    assert_int_equal(spec_parse(text, NULL, specs, SPECS_CAPACITY, &error), -1);
    size_t length = strlen(error.message);
    assert_true(length < sizeof error.message);
    assert_int_equal(error.message[length - 1], '\'');
    for (size_t i = 0; i < length; i++)
        assert_in_range(error.message[i], ' ', '~');
}

static uint32_t next_random(uint32_t *seed) // xorshift32
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 17;
    *seed ^= *seed << 5;
    return *seed;
}

// Garbage made of words that mean something: no crash, and places that lie in the text.
static void garbage(void **state)
{
    (void)state;
    static const char *const words[] = {
        "acquire ", "release ", "fill ", "use ",    "size ",      "kind ",    "handle", "*handle",
        "pool",     "*pool",    "(",     ")",       ",",          " ",        "->",     "-> 0",
        "0x",       "|",        "!0",    "or",      "...",        "python:",  ":",      "f",
        "\n",       ";",        "#",     "_",       "=",          "database", "name",   "-",
        "\xc3\xa4", "\x01",     "*",     "<local>", "99999999999"};
    uint32_t seed = 20240229;
    for (int round = 0; round < 200000; round++) {
        char text[256] = "";
        int lines = 1;
        for (uint32_t left = next_random(&seed) % 20; left > 0; left--)
            (void)strcat(text, words[next_random(&seed) % (sizeof words / sizeof words[0])]);
        for (const char *at = text; *at; at++)
            lines += *at == '\n';
        struct spec_error error = {0};
        int count = spec_parse(text, NULL, specs, 4, &error);
        assert_in_range(count + 1, 0, 20);
        if (count < 0) {
            assert_in_range(error.line, 1, lines);
            assert_in_range(error.column, 1, strlen(text) + 1);
            assert_true(error.message[0] != '\0');
        }
    }
}

static void shipped_specs_are_good(void **state)
{
    (void)state;
    struct spec_error error = {0};
    int count = spec_parse(spec_shipped, NULL, specs, SPECS_CAPACITY, &error);
    if (count < 0)
        fail_msg("shipped: %d:%d: %s", error.line, error.column, error.message);
    assert_in_range(count, 15, SPECS_CAPACITY - 100); // room for the user's
    assert_string_equal(specs[0].function, "sqlite3_open");
    assert_int_equal(strncmp(spec_shipped, "#: sqlite3\n", 11), 0);
}

static char text[SPECS_TEXT_BYTES];

static void load_without_pools(void **state)
{
    (void)state;
    struct specs_error error;
    struct spec_error parse_error;
    int shipped = spec_parse(spec_shipped, NULL, NULL, 0, &parse_error);
    errno = 77;
    assert_int_equal(specs_load(NULL, specs, SPECS_CAPACITY, text, sizeof text, &error), shipped);
    assert_int_equal(errno, 77);
    assert_int_equal(error.source[0], 0);
    assert_false(specs[0].asked);
    assert_int_equal(specs_load("", specs, SPECS_CAPACITY, text, sizeof text, &error), shipped);
}

// A user's description takes the place of the shipped one, and is the only one marked so.
static void load_literal_text(void **state)
{
    (void)state;
    struct specs_error error;
    int shipped = specs_load(NULL, specs, SPECS_CAPACITY, text, sizeof text, &error);
    int count = specs_load("kind mine; acquire my_get() -> handle\nrelease sqlite3_close(handle)",
                           specs, SPECS_CAPACITY, text, sizeof text, &error);
    assert_int_equal(count, shipped + 2 - 1);
    assert_int_equal(error.source[0], 0);
    int closes = 0;
    for (int i = 0; i < count; i++) {
        assert_int_equal(specs[i].asked, i >= count - 2);
        if (strcmp(specs[i].function, "sqlite3_close") == 0) {
            closes++;
            assert_string_equal(specs[i].kind, "mine");
        }
    }
    assert_int_equal(closes, 1);
}

static char *write_spec(const char *content, size_t bytes)
{
    char *path = strdup("/tmp/unclosed-test-XXXXXX.spec");
    int fd = mkstemps(path, 5);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, content, bytes), bytes);
    (void)close(fd);
    return path;
}

static void load_names_and_files(void **state)
{
    (void)state;
    struct specs_error error;
    char pools[256];
    char *path = write_spec("kind filed\nuse from_file(handle)\n", 33);
    int shipped = specs_load(NULL, specs, SPECS_CAPACITY, text, sizeof text, &error);
    (void)snprintf(pools, sizeof pools, "%s,,sqlite3", path);
    int count = specs_load(pools, specs, SPECS_CAPACITY, text, sizeof text, &error);
    assert_int_equal(error.source[0], 0);
    assert_int_equal(count, shipped + 1); // sqlite3's are asked for now, not there twice
    bool from_file = false;
    for (int i = 0; i < count; i++) {
        if (strcmp(specs[i].kind, "sqlite3") == 0)
            assert_true(specs[i].asked);
        from_file |= strcmp(specs[i].function, "from_file") == 0;
    }
    assert_true(from_file);
    (void)unlink(path);
    count = specs_load(pools, specs, SPECS_CAPACITY, text, sizeof text, &error);
    assert_int_equal(count, shipped);
    assert_string_equal(error.source, path);
    assert_int_equal(error.error, ENOENT);
    free(path);
}

static void load_reports_errors(void **state)
{
    (void)state;
    struct specs_error error;
    int shipped = specs_load(NULL, specs, SPECS_CAPACITY, text, sizeof text, &error);
    assert_int_equal(specs_load("nosuch", specs, SPECS_CAPACITY, text, sizeof text, &error),
                     shipped);
    assert_string_equal(error.source, "nosuch");
    assert_int_equal(error.error, ENOENT);
    assert_int_equal(
        specs_load("use f(handle); use g(", specs, SPECS_CAPACITY, text, sizeof text, &error),
        shipped);
    assert_int_equal(error.error, 0);
    assert_int_equal(error.spec.column, 22);
    assert_int_equal(
        specs_load("use f(handle); use g(handle)", specs, shipped + 1, text, sizeof text, &error),
        shipped);
    assert_int_equal(error.error, E2BIG);
    char *path = write_spec("use f(handle)\0\n", 15);
    assert_int_equal(specs_resolve(path, text, sizeof text, &error), -1);
    assert_int_equal(error.error, EINVAL);
    assert_int_equal(specs_resolve(path, text, 10, &error), -1);
    assert_int_equal(error.error, EFBIG);
    (void)unlink(path);
    free(path);
}

static void resolve_knows_names_from_texts(void **state)
{
    (void)state;
    struct specs_error error;
    assert_true(specs_resolve("sqlite3", text, sizeof text, &error) > 0);
    assert_non_null(strstr(text, "acquire sqlite3_open_v2("));
    assert_null(strstr(text, "#: "));
    assert_int_equal(specs_resolve("sqlite", text, sizeof text, &error), -1);
    assert_int_equal(specs_resolve("use f(handle)", text, sizeof text, &error), 13);
    assert_string_equal(text, "use f(handle)");
    assert_true(specs_is_text("acquire foo"));
    assert_false(specs_is_text("/my folder/my.spec"));
    assert_false(specs_is_text("libzdb,mine.spec"));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(out_parameter),
        cmocka_unit_test(result_handle),
        cmocka_unit_test(every_verb),
        cmocka_unit_test(every_role),
        cmocka_unit_test(more_arguments),
        cmocka_unit_test(every_result),
        cmocka_unit_test(kept_on_failure),
        cmocka_unit_test(python_methods),
        cmocka_unit_test(kinds),
        cmocka_unit_test(counted_kinds),
        cmocka_unit_test(settings),
        cmocka_unit_test(success),
        cmocka_unit_test(nothing),
        cmocka_unit_test(counts_beyond_capacity),
        cmocka_unit_test(errors_name_their_place),
        cmocka_unit_test(long_names_are_refused),
        cmocka_unit_test(messages_fit),
        cmocka_unit_test(garbage),
        cmocka_unit_test(shipped_specs_are_good),
        cmocka_unit_test(load_without_pools),
        cmocka_unit_test(load_literal_text),
        cmocka_unit_test(load_names_and_files),
        cmocka_unit_test(load_reports_errors),
        cmocka_unit_test(resolve_knows_names_from_texts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
