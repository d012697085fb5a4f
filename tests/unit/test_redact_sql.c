// What stays of SQL, and that nothing else does.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "shared/redact.h"

static void check(const char *sql, bool full, const char *expected)
{
    char text[512];
    size_t length = redact_sql(sql, strlen(sql), full, text, sizeof text);
    assert_string_equal(text, expected);
    assert_int_equal(length, strlen(text));
}

static void what_stays(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"", ""},
        {"select 1", "select ?"},
        {"SELECT  a,\n b FROM t1 WHERE x = 'it''s' AND y>=-1.5e-3 OR z in (1, 2,0x1F)",
         "SELECT a, b FROM t1 WHERE x = ? AND y>=-? OR z in (?, ?,?)"},
        {"insert into t values (?, ?1, :name, @v, $1, $n)",
         "insert into t values (?, ?, :name, @v, $1, $n)"},
        {"SELECT \"auth_user\".\"id\" FROM \"auth_user\" AS \"u\"",
         "SELECT \"auth_user\".\"id\" FROM \"auth_user\" AS \"u\""},
        {"SELECT `a b`.`c`, [d e] FROM [t]", "SELECT `a b`.`c`, [d e] FROM [t]"},
        {"select a /* why */ from t -- x\nwhere b", "select a from t where b"},
        {"BEGIN IMMEDIATE", "BEGIN IMMEDIATE"},
        {"select x'0badc0de', N'y', e'z'", "select ?, ?, ?"},
        {"select a like 'x' escape '\\', b from t", "select a like ? escape ?, b from t"},
        {"select $$it's$$, $tag$a$$b$tag$, c", "select ?, ?, c"},
        {"select a[1], b #>> '{c}' from t", "select a[?], b #>> ? from t"},
        {"PRAGMA journal_mode = wal", "PRAGMA journal_mode ?"},
        {"CREATE TABLE users (password TEXT DEFAULT 'x', \"y\" INT)",
         "CREATE TABLE users (password TEXT DEFAULT ?, ? INT)"},
        {"create virtual table t using fts5(a, key=b)", "create virtual table t using fts5 ?"},
        {"select 1; commit", "select ?; commit"},
        {"explain query plan select 2", "explain query plan select ?"},
        {"select 'gr\xc3\xbc\xc3\x9f' as gr\xc3\xbc\xc3\x9f", "select ? as gr\xc3\xbc\xc3\x9f"},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        check(pairs[i][0], false, pairs[i][1]);
}

// Every one of these names the secret HUNTER, which must not be in what is left.
static void secrets_go(void **state)
{
    (void)state;
    static const char *const texts[] = {
        "PRAGMA key='HUNTER'",
        "PRAGMA key = HUNTER",
        "PRAGMA main.rekey(\"HUNTER\")",
        "PRAGMA key HUNTER",
        "pragma hexkey=HUNTER",
        "ATTACH DATABASE 'a' AS b KEY 'HUNTER'",
        "ATTACH a AS b KEY HUNTER",
        "select 'ATTACH x KEY ''HUNTER'''",
        "ALTER USER u PASSWORD 'HUNTER'",
        "ALTER USER u IDENTIFIED BY HUNTER",
        "CREATE ROLE u LOGIN PASSWORD HUNTER",
        "SET PASSWORD FOR u = HUNTER",
        "GRANT ALL ON x TO u IDENTIFIED BY HUNTER",
        "select * from t where password=\"HUNTER\"",
        "select * from t where a=b and trim(both ' ' from \"HUNTER\")",
        "insert into t values(\"HUNTER\", 'HUNTER', x'HUNTER')",
        "select 'a\\', 'HUNTER'",
        "select 'a\\'HUNTER', 'b'",
        "select \"a\\\", 'HUNTER'\"",
        "select q'[it's HUNTER]' from dual",
        "select 1 -- HUNTER",
        "select 1 # it's\n HUNTER 'x'",
        "select 1 /* HUNTER */",
        "select /* /* */ 'it */ HUNTER",
        "select 'never ends HUNTER",
        "select [it's], 'HUNTER'",
        "select $a$ it's HUNTER",
        "HUNTER",
        "'HUNTER'",
        "(HUNTER)",
        "create virtual table t using x(key=HUNTER)",
        "create table t(a default 'HUNTER')",
        "CREATE SERVER s OPTIONS (password HUNTER)",
        "copy t from 'x' with HUNTER",
        "call login(HUNTER)",
        "select `HUNTER';",
        "\xff\xfeselect 'HUNTER'",
        "select 1;;;; attach HUNTER",
        "explain attach HUNTER as x",
    };
    for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++) {
        char text[512];
        redact_sql(texts[i], strlen(texts[i]), false, text, sizeof text);
        if (strstr(text, "HUNTER"))
            fail_msg("%s -> %s", texts[i], text);
    }
}

static void full_keeps_literals(void **state)
{
    (void)state;
    check("select 'x', 1 from t -- y", true, "select 'x', 1 from t");
    check("PRAGMA key='HUNTER'", true, "PRAGMA key ?");
    check("ATTACH 'x' AS y KEY 'HUNTER'", true, "ATTACH ?");
}

static void long_texts_are_cut(void **state)
{
    (void)state;
    char text[8];
    for (size_t bytes = 1; bytes <= sizeof text; bytes++) {
        memset(text, 'x', sizeof text);
        size_t length = redact_sql("select gr\xc3\xbc", 11, false, text, bytes);
        assert_in_range(length, 0, bytes - 1);
        assert_int_equal(text[length], 0);
        assert_true(bytes == 8 ? strcmp(text, "select ") == 0 || strcmp(text, "select") == 0 : 1);
    }
    assert_int_equal(redact_sql("select \xc3\xbc", 9, false, text, sizeof text), 7);
    assert_string_equal(text, "select ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_stays),
        cmocka_unit_test(secrets_go),
        cmocka_unit_test(full_keeps_literals),
        cmocka_unit_test(long_texts_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
