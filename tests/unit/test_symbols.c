// Names and lines for addresses: of this very program, which is its own example.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <link.h>
#include <unistd.h>

#include "report/code/owners.h"
#include "report/code/symbols.h"
#include "symbols_example.h"

static struct arena *arena;
static struct symbols *symbols;

static int set_up(void **state)
{
    (void)state;
    arena = arena_new();
    symbols = symbols_new(arena);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    symbols_free(symbols);
    arena_free(arena);
    return 0;
}

static uintptr_t own_bias;

static int take_bias(struct dl_phdr_info *info, size_t size, void *data)
{
    (void)size;
    (void)data;
    own_bias = info->dlpi_addr;
    return 1; // the program itself comes first
}

// The symbols at a return address of this program.
static const struct symbol *find(const void *address, size_t *count)
{
    dl_iterate_phdr(take_bias, NULL);
    const struct symbols_file file = {.path = "/proc/self/exe"};
    return symbols_find(symbols, &file, (uintptr_t)address - 1 - own_bias, count);
}

static const char *base(const char *path)
{
    return path ? owners_base_name(path) : "";
}

static void a_function_has_its_name_and_line(void **state)
{
    (void)state;
    size_t count;
    const struct symbol *found = find(example_plain(), &count);
    assert_int_equal(count, 1);
    assert_string_equal(found[0].function, "example_plain");
    assert_string_equal(base(found[0].file), "symbols_example.cc");
    assert_int_equal(found[0].line, EXAMPLE_PLAIN_LINE);
    assert_string_equal(found[0].language, "c++");
    assert_false(found[0].inlined);
}

static void inlined_functions_are_frames(void **state)
{
    (void)state;
    size_t count;
    const struct symbol *found = find(example_inlined(), &count);
    assert_int_equal(count, 3);
    assert_string_equal(found[0].function, "shop::(anonymous namespace)::innermost");
    assert_int_equal(found[0].line, EXAMPLE_INNERMOST_LINE);
    assert_string_equal(found[1].function, "shop::Repo<int>::open");
    assert_int_equal(found[1].line, EXAMPLE_OPEN_LINE);
    assert_string_equal(found[2].function, "example_inlined");
    assert_int_equal(found[2].line, EXAMPLE_INLINED_LINE);
    assert_true(found[0].inlined && found[1].inlined && !found[2].inlined);
}

static void lambdas_are_named_by_what_is_around_them(void **state)
{
    (void)state;
    size_t count;
    const struct symbol *found = find(example_lambda(), &count);
    assert_true(count >= 1);
    assert_string_equal(found[0].function, "example_lambda::{lambda}::operator()");
}

static void names_outlive_the_files(void **state)
{
    size_t count;
    const struct symbol *found = find(example_lambda(), &count);
    symbols_free(symbols);
    symbols = NULL;
    assert_non_null(strstr(found[0].function, "lambda"));
    assert_non_null(strstr(found[0].file, "symbols_example"));
    (void)state;
}

static void another_file_gives_no_names(void **state)
{
    (void)state;
    const uint8_t build_id[20] = {1, 2, 3};
    const struct symbols_file files[] = {
        {.path = "/proc/self/exe", .build_id = build_id, .build_id_bytes = sizeof build_id},
        {.path = "/nowhere/at/all.so"},
        {.path = "[vdso]"}, // no file and no message
    };
    for (size_t i = 0; i < 3; i++)
        for (int again = 0; again < 2; again++) { // said once
            size_t count;
            const struct symbol *found = symbols_find(symbols, &files[i], 0x1234, &count);
            assert_int_equal(count, 1);
            assert_null(found[0].function);
            assert_null(found[0].file);
        }
    assert_int_equal(symbols_problem_count(symbols), 2);
    assert_non_null(strstr(symbols_problem(symbols, 0), "build id differs"));
    assert_non_null(strstr(symbols_problem(symbols, 1), "/nowhere/at/all.so: cannot be read"));
}

static void a_stand_in_is_used_first(void **state)
{
    (void)state;
    dl_iterate_phdr(take_bias, NULL);
    const struct symbols_file file = {.path = "/nowhere/at/all", .stand_in = "/proc/self/exe"};
    size_t count;
    const struct symbol *found =
        symbols_find(symbols, &file, (uintptr_t)example_plain() - 1 - own_bias, &count);
    assert_string_equal(found[0].function, "example_plain");
    assert_int_equal(symbols_problem_count(symbols), 0);
}

static void mangled_names_become_readable(void **state)
{
    (void)state;
    const char *const names[][2] = {
        {"main", "main"},
        {"_ZN4shop4loadIiEEvPKc", "shop::load<int>"},  // void shop::load<int>(char const*)
        {"_ZNK4shop4Repo4nameEv", "shop::Repo::name"}, // ... const
        {"_ZN4shop12_GLOBAL__N_13getEi", "shop::(anonymous namespace)::get"},
        {"_ZNSt8functionIFviEEclEi", "std::function<void (int)>::operator()"},
        {"_ZN4shoplsERSoRKNS_4ItemE", "shop::operator<<"},
        {"_ZN4shop4ItemcvbEv", "shop::Item::operator bool"},
        {"_ZZ4mainENKUlvE_clEv", "main::{lambda()#1}::operator()"},
        {"_ZN4shop4loadEv.cold", "shop::load"},
        {"_Znonsense", "_Znonsense"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        assert_string_equal(symbols_demangle(arena, names[i][0], NULL), names[i][1]);
    const char *signature;
    (void)symbols_demangle(arena, "_ZN4shop4loadIiEEvPKc", &signature);
    assert_string_equal(signature, "shop::load<int>(char const*)");
    (void)symbols_demangle(arena, "main", &signature);
    assert_null(signature);
}

static void code_belongs_to_whoever_installed_it(void **state)
{
    (void)state;
    const struct {
        const char *module, *executable;
        enum frame_owner owner;
    } modules[] = {
        {"/home/me/server", "/home/me/server", FRAME_USER},
        {"/usr/bin/svnadmin", "/usr/bin/svnadmin", FRAME_USER},
        {"/usr/bin/python3.11", "/usr/bin/python3.11", FRAME_INTERPRETER},
        {"/opt/py/bin/python", "/opt/py/bin/python", FRAME_INTERPRETER},
        {"/usr/bin/perl", "/usr/bin/perl", FRAME_INTERPRETER},
        {"/usr/bin/php8.2", "/usr/bin/php8.2", FRAME_INTERPRETER},
        {"/home/me/phpish", "/home/me/phpish", FRAME_USER},
        {"/opt/py/lib/libpython3.12.so.1.0", "/opt/py/bin/python", FRAME_INTERPRETER},
        {"/usr/lib/x86_64-linux-gnu/libsvn_wc-1.so.1", "/usr/bin/svn", FRAME_LIBRARY},
        {"/lib/x86_64-linux-gnu/libc.so.6", "/home/me/server", FRAME_LIBRARY},
        {"/opt/conda/lib/libsqlite3.so.0", "/home/me/server", FRAME_LIBRARY},
        {"/srv/venv/lib/python3.9/site-packages/a/_b.so", "/usr/bin/python3.9", FRAME_LIBRARY},
        {"/home/me/libshop.so", "/home/me/server", FRAME_USER},
        {"[vdso]", "/home/me/server", FRAME_LIBRARY},
    };
    for (size_t i = 0; i < sizeof modules / sizeof modules[0]; i++)
        if (owners_of_module(modules[i].module, modules[i].executable) != modules[i].owner)
            fail_msg("%s", modules[i].module);
    assert_true(owners_is_recorder("/usr/lib/libunclosed.so"));
    assert_false(owners_is_recorder("/usr/lib/libunclosed_pool/libx.so"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(a_function_has_its_name_and_line),
        TEST(inlined_functions_are_frames),
        TEST(lambdas_are_named_by_what_is_around_them),
        TEST(names_outlive_the_files),
        TEST(another_file_gives_no_names),
        TEST(a_stand_in_is_used_first),
        TEST(mangled_names_become_readable),
        TEST(code_belongs_to_whoever_installed_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
