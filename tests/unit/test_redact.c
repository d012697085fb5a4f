// Passwords in connection strings.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "shared/redact.h"

static void passwords_go(void **state)
{
    (void)state;
    static const char *const pairs[][2] = {
        {"", ""},
        {"/var/lib/app.db", "/var/lib/app.db"},
        {":memory:", ":memory:"},
        {"host=db password=secret user=me", "host=db password=*** user=me"},
        {"password=secret", "password=***"},
        {"password = 'se cr\\'et' user=me", "password = *** user=me"},
        {"PWD={s;ecret};UID=me", "PWD=***;UID=me"},
        {"Driver=x;Pwd=se;cret;UID=me", "Driver=x;Pwd=***;UID=me"},
        {"host=a,user=b,pass=c,d,dbname=e", "host=a,user=b,pass=***,dbname=e"},
        {"sslpassword=x dbname=y", "sslpassword=*** dbname=y"},
        {"password=\"a b\" x=1", "password=*** x=1"},
        {"password='never ends", "password=***"},
        {"password=a b c", "password=***"},
        {"password=", "password=***"},
        {"bypass=1 compass=2", "bypass=1 compass=2"},
        {"mypassword", "mypassword"},
        {"postgres://me:secret@host/db", "postgres://me:***@host/db"},
        {"postgres://me:se@cr:et@host:5432/db?x=1", "postgres://me:***@host:5432/db?x=1"},
        {"postgres://host:5432/db?user=me&password=secret&x=1",
         "postgres://host:5432/db?user=me&password=***&x=1"},
        {"postgres://me@host/db@x:y", "postgres://me@host/db@x:y"},
        {"mysql+pymysql://:secret@/db", "mysql+pymysql://:***@/db"},
        {"sqlite:////tmp/a:b@c.db", "sqlite:////tmp/a:b@c.db"},
        {"//", "//"},
    };
    char text[128];
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        size_t length = redact(pairs[i][0], text, sizeof text);
        assert_string_equal(text, pairs[i][1]);
        assert_int_equal(length, strlen(text));
    }
}

static void long_texts_are_cut(void **state)
{
    (void)state;
    char text[9];
    assert_int_equal(redact("0123456789", text, sizeof text), 8);
    assert_string_equal(text, "01234567");
    assert_int_equal(redact("pwd=secret", text, sizeof text), 7);
    assert_string_equal(text, "pwd=***");
    assert_int_equal(redact("dbpw;pwd=secret", text, sizeof text), 8);
    assert_string_equal(text, "dbpw;pwd");
    assert_int_equal(redact("abc", text, 1), 0);
    assert_string_equal(text, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passwords_go),
        cmocka_unit_test(long_texts_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
