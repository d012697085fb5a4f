// The option table, how values are written, and the names of traces.
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "shared/options.h"
#include "shared/output_name.h"

static void durations(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        uint64_t ns;
    } good[] = {
        {"0", 0},
        {"0.0", 0},
        {"0s", 0},
        {"7ns", 7},
        {"20us", 20000},
        {"500ms", 500000000},
        {"30s", 30000000000},
        {"1.5s", 1500000000},
        {"0.000000001s", 1},
        {"0.25ms", 250000},
        {"2m", 120000000000},
        {"1.5h", 5400000000000},
        {"0.0000000009999s", 0},
        {"9223372035s", 9223372035000000000},
    };
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        uint64_t ns = 1;
        if (!option_duration(good[i].text, &ns))
            fail_msg("'%s' was refused", good[i].text);
        assert_int_equal(ns, good[i].ns);
    }
    static const char *const bad[] = {
        "",         "30",  "s",    "30x",  "30 s",        "-1s",  "1.s",
        "1..2s",    ".5s", "1e3s", "30sx", "9223372037s", "0x1s", "99999999999999999999999s",
        "2562048h", "+1s"};
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        uint64_t ns = 42;
        if (option_duration(bad[i], &ns))
            fail_msg("'%s' was accepted as %ju ns", bad[i], (uintmax_t)ns);
        assert_int_equal(ns, 42);
    }
}

static const struct option_entry *entry(const char *variable)
{
    for (size_t i = 0; i < option_count; i++) {
        if (strcmp(option_table[i].variable, variable) == 0)
            return &option_table[i];
    }
    fail_msg("no option %s", variable);
    return NULL;
}

static void assert_set(const char *variable, const char *value, struct options *options)
{
    const char *expected = option_set(entry(variable), value, options);
    if (expected)
        fail_msg("%s=%s was refused: expected %s", variable, value, expected);
}

static void values(void **state)
{
    (void)state;
    struct options options = {0};
    assert_set("UNCLOSED_SIGNAL", "SIGUSR1", &options);
    assert_int_equal(options.signal, SIGUSR1);
    assert_set("UNCLOSED_SIGNAL", "WINCH", &options);
    assert_int_equal(options.signal, SIGWINCH);
    assert_set("UNCLOSED_SIGNAL", "40", &options);
    assert_int_equal(options.signal, 40);
    assert_set("UNCLOSED_SIGNAL", "none", &options);
    assert_int_equal(options.signal, 0);
    assert_set("UNCLOSED_FOLLOW", "none", &options);
    assert_int_equal(options.follow, OPTIONS_FOLLOW_NONE);
    assert_set("UNCLOSED_FOLLOW", "fork", &options);
    assert_int_equal(options.follow, OPTIONS_FOLLOW_FORK);
    assert_set("UNCLOSED_FOLLOW", "all", &options);
    assert_int_equal(options.follow, OPTIONS_FOLLOW_ALL);
    assert_set("UNCLOSED_DEPTH", "128", &options);
    assert_int_equal(options.depth, 128);
    assert_set("UNCLOSED_RUN", "00ffabcdef012345", &options);
    assert_int_equal(options.run_id, 0x00ffabcdef012345);
    assert_set("UNCLOSED_PYTHON", "off", &options);
    assert_false(options.python);
    assert_set("UNCLOSED_PYTHON", "true", &options);
    assert_true(options.python);
    assert_set("UNCLOSED_OUTPUT", "/x/%p", &options);
    assert_string_equal(options.output, "/x/%p");
}

static void bad_values(void **state)
{
    (void)state;
    static const char *const bad[][2] = {
        {"UNCLOSED_SIGNAL", "SIGKILL"},
        {"UNCLOSED_SIGNAL", "9"},
        {"UNCLOSED_SIGNAL", "0"},
        {"UNCLOSED_SIGNAL", "32"},
        {"UNCLOSED_SIGNAL", "65"},
        {"UNCLOSED_SIGNAL", "12x"},
        {"UNCLOSED_SIGNAL", "SIGSEGV"},
        {"UNCLOSED_FOLLOW", "forks"},
        {"UNCLOSED_FOLLOW", ""},
        {"UNCLOSED_FOLLOW", "al"},
        {"UNCLOSED_FOLLOW", "all|"},
        {"UNCLOSED_DEPTH", "0"},
        {"UNCLOSED_DEPTH", "129"},
        {"UNCLOSED_DEPTH", "-1"},
        {"UNCLOSED_DEPTH", "6 4"},
        {"UNCLOSED_DEPTH", "4294967360"},
        {"UNCLOSED_RUN", "12345678901234567"},
        {"UNCLOSED_RUN", "xyz"},
        {"UNCLOSED_PYTHON", "maybe"},
        {"UNCLOSED_PYTHON", "11"},
        {"UNCLOSED_THRESHOLD", "30"},
    };
    for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
        struct options options;
        struct options before;
        memset(&options, 0x5a, sizeof options);
        memset(&before, 0x5a, sizeof before);
        if (!option_set(entry(bad[i][0]), bad[i][1], &options))
            fail_msg("%s=%s was accepted", bad[i][0], bad[i][1]);
        assert_memory_equal(&options, &before, sizeof options);
    }
    char path[OPTIONS_PATH_BYTES + 1];
    memset(path, 'x', sizeof path - 1);
    path[sizeof path - 1] = '\0';
    struct options options = {0};
    assert_non_null(option_set(entry("UNCLOSED_LOG"), path, &options));
    path[sizeof path - 2] = '\0';
    assert_set("UNCLOSED_LOG", path, &options);
}

struct variables { // a list of name, value, and how often something was refused
    const char *const *pairs;
    int bad;
    const char *last_bad;
};

static const char *get(void *data, const char *name)
{
    const struct variables *variables = data;
    for (const char *const *pair = variables->pairs; *pair; pair += 2) {
        if (strcmp(pair[0], name) == 0)
            return pair[1];
    }
    return NULL;
}

static void refuse(void *data, const struct option_entry *refused, const char *value,
                   const char *expected)
{
    struct variables *variables = data;
    assert_non_null(value);
    assert_non_null(expected);
    variables->bad++;
    variables->last_bad = refused->variable;
}

static void standards(void **state)
{
    (void)state;
    static const char *const none[] = {NULL};
    struct variables variables = {.pairs = none};
    struct options options;
    memset(&options, 0x5a, sizeof options);
    options_read(&options, get, refuse, &variables);
    assert_int_equal(variables.bad, 0);
    assert_string_equal(options.output, "unclosed.%e.%p.trace");
    assert_string_equal(options.log, "");
    assert_string_equal(options.fallback, "");
    assert_null(options.pools);
    assert_false(options.force);
    assert_true(options.python);
    assert_int_equal(options.follow, OPTIONS_FOLLOW_ALL);
    assert_int_equal(options.signal, SIGUSR2);
    assert_int_equal(options.depth, 64);
    assert_int_equal(options.root, 0);
    assert_int_equal(options.run_id, 0);
    assert_int_equal(options.threshold_ns, 0);
    assert_int_equal(options.wait_threshold_ns, 10000000);
}

static void reads_variables(void **state)
{
    (void)state;
    static const char *const pairs[] = {"UNCLOSED_OUTPUT",
                                        "/tmp/x",
                                        "UNCLOSED_DEPTH",
                                        "999",
                                        "UNCLOSED_POOLS",
                                        "libzdb",
                                        "UNCLOSED_FORCE",
                                        "1",
                                        "UNCLOSED_LOG",
                                        "",
                                        NULL};
    struct variables variables = {.pairs = pairs};
    struct options options;
    options_read(&options, get, refuse, &variables);
    assert_int_equal(variables.bad, 1);
    assert_string_equal(variables.last_bad, "UNCLOSED_DEPTH");
    assert_int_equal(options.depth, 64); // the standard holds
    assert_string_equal(options.output, "/tmp/x");
    assert_ptr_equal(options.pools, pairs[5]);
    assert_true(options.force);
    options_read(&options, get, NULL, &variables);
    assert_int_equal(options.depth, 64);
}

// What --help and the man page promise of the table.
static void table_is_sound(void **state)
{
    (void)state;
    for (size_t i = 0; i < option_count; i++) {
        const struct option_entry *one = &option_table[i];
        struct options options = {0};
        assert_int_equal(strncmp(one->variable, "UNCLOSED_", 9), 0);
        if (one->standard)
            assert_null(option_set(one, one->standard, &options));
        if (!one->flag)
            continue;
        assert_non_null(one->help);
        assert_int_equal(one->kind == OPTION_BOOL, one->argument == NULL);
        assert_int_equal(one->kind == OPTION_BOOL, one->set != NULL);
    }
}

static void output_names(void **state)
{
    (void)state;
    const struct output_names names = {
        .pid = 4711, .executable = "/usr/bin/python3", .seconds = 1700000000, .host = "web/1"};
    static const struct {
        const char *pattern, *path;
        bool distinct;
    } good[] = {
        {"unclosed.%e.%p.trace", "unclosed.python3.4711.trace", false},
        {"unclosed.%e.%p.trace", "unclosed.python3.4711.trace", true},
        {"/t/%h-%t-100%%", "/t/web-1700000000-100%", false},
        {"fixed", "fixed", false},
        {"fixed", "fixed.4711", true},
        {"%%p", "%p.4711", true},
        {"", "", false},
    };
    char path[64];
    for (size_t i = 0; i < sizeof good / sizeof good[0]; i++) {
        assert_int_equal(output_name(good[i].pattern, &names, good[i].distinct, path, sizeof path),
                         0);
        assert_string_equal(path, good[i].path);
    }
    assert_int_equal(output_name("a%x", &names, false, path, sizeof path), -EINVAL);
    assert_int_equal(output_name("a%", &names, false, path, sizeof path), -EINVAL);
    assert_int_equal(output_name("%e", &names, false, path, 7), -ENAMETOOLONG);
    assert_int_equal(output_name("%e", &names, false, path, 8), 0);
    assert_int_equal(output_name("%p", &names, false, path, 4), -ENAMETOOLONG);
    assert_int_equal(output_name("abc", &names, true, path, 8), -ENAMETOOLONG);
    assert_int_equal(output_name("abc", &names, true, path, 9), 0);
    assert_int_equal(output_name("a/b/c/d/e", &names, false, path, 9), -ENAMETOOLONG);
}

static void names_that_a_pattern_gives(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *name;
        bool fits;
    } cases[] = {
        {"unclosed.%e.%p.trace", "unclosed.python3.11.4711.trace", true},
        {"unclosed.%e.%p.trace", "unclosed.x.4711.trace.3", true},
        {"unclosed.%e.%p.trace", "unclosed.4711.4711.trace", true},
        {"unclosed.%e.%p.trace", "unclosed.x.471.trace", false},
        {"unclosed.%e.%p.trace", "unclosed.x.47110.trace", false},
        {"unclosed.%e.%p.trace", "unclosed..4711.trace", false},
        {"unclosed.%e.%p.trace", "unclosed.x.4711.trace.py", false},
        {"unclosed.%e.%p.trace", "unclosed.x.4711.trace.", false},
        {"unclosed.%e.%p.trace", "x.unclosed.x.4711.trace", false},
        {"unclosed.%e.%p.trace", "sitecustomize.py", false},
        {"%t-%h%%", "1700000000-host%", true},
        {"%t-%h%%", "17x-host%", false},
        {"fixed", "fixed", true},
        {"fixed", "fixed.4711", true},
        {"fixed", "fixed.4711.2", true},
        {"fixed", "fixed.4711.2.3", false},
        {"%e%e%e%e%e%e%e%e%e%e%ex", "yyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyyy", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
        if (output_name_fits(cases[i].pattern, 4711, cases[i].name) != cases[i].fits)
            fail_msg("%s: %s", cases[i].pattern, cases[i].name);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(durations),       cmocka_unit_test(values),
        cmocka_unit_test(bad_values),      cmocka_unit_test(standards),
        cmocka_unit_test(reads_variables), cmocka_unit_test(table_is_sound),
        cmocka_unit_test(output_names),    cmocka_unit_test(names_that_a_pattern_gives),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
