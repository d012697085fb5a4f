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
        {"password=\"a b\" x=1", "password=***"},
        {"password='never ends", "password=***"},
        {"password=a b c", "password=***"},
        {"password=", "password=***"},
        {"bypass=1 compass=2", "bypass=***"},
        {"mypassword", "mypassword"},
        {"postgres://me:secret@host/db", "postgres://me:***@host/db"},
        {"postgres://me:se@cr:et@host:5432/db?x=1", "postgres://me:***@host:5432/db?x=***"},
        {"postgres://host:5432/db?user=me&password=secret&x=1",
         "postgres://host:5432/db?user=me&password=***&x=***"},
        {"postgres://me@host/db@x:y", "postgres://***@x:y"},
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

// Every one of these holds HUNTER where a secret is, in one of the ways that drivers understand.
static const char *const secrets[] = {
    "postgresql://u:HUNTER@h/db",
    "postgresql://u:HUNTER?HUNTER@h/db",
    "postgresql://u:x#HUNTER@h/db",
    "postgresql://u:x/HUNTER@h/db",
    "postgresql://u:1/HUNTER@h/db",
    "postgresql://h/db?user=u&password=HUNTER",
    "postgresql://h/db?user=u&pass%77ord=HUNTER",
    "postgresql://h/db?sslpassword=HUNTER&sslmode=x",
    "postgresql://u:HUNTER x@h/db",
    "mysql://u:p@ss@HUNTER@h/db",
    "mysql://u:HUNTER@h1,u2:HUNTER@h2/db",
    "mssql+pyodbc:///?odbc_connect=DRIVER%3D%7BODBC%7D%3BUID%3Du%3BPWD%3DHUNTER%3B",
    "mongodb://u:x@h/?authMechanismProperties=AWS_SESSION_TOKEN:HUNTER",
    "redis://:HUNTER@h/0",
    "jdbc:oracle:thin:scott/HUNTER@h:1521/x",
    "jdbc:mysql://h/db?user=u&password=HUNTER",
    "sqlserver://h;user=u;password={a}}HUNTER}",
    "libsql://h?authToken=HUNTER",
    "scott/HUNTER@h",
    "user:HUNTER@host/db",
    "//u:HUNTER@h",
    "http:/\\u:HUNTER@h",
    "host=h password=HUNTER user=u",
    "host=h password='HUNTER x\\' HUNTER' user=u",
    "host=h password = 'it HUNTER' user=u",
    "host=h password=x\\ HUNTER user=u",
    "host=h password=''HUNTER",
    "host=h password='x'HUNTER user=u",
    "Driver={x};UID=u;PWD={a}};HUNTER=};Server=h",
    "host=h;access_token=HUNTER",
    "host=h;secret=HUNTER;token=HUNTER",
    "host=h authtoken=HUNTER",
    "host=h PASSWORD=HUNTER;x",
    "passphrase=HUNTER",
    "password=a;HUNTER b=c",
    "password=\"a\"\"HUNTER\"",
    "password={HUNTER",
    "host=h oauth_client_secret=HUNTER x=y",
    "host=u:HUNTER@h",
    "dbname=postgres://u:HUNTER@h",
    "host=h HUNTER",
    "PGPASSWORD=HUNTER",
    "db_password=HUNTER",
    "password:HUNTER",
    "user=u&pass=a&HUNTER=1",
    "file:x.db?key=HUNTER",
    "file:x.db?hexkey=HUNTER&mode=memory",
    "file:x.db?cipher=x&hexrekey=HUNTER",
    "file:x.db?vfs=unix&kdf_iter=1&passphrase=HUNTER",
    "file:x.db?mode=ro#HUNTER",
    "/x.db?key=HUNTER",
    "x.db?key=HUNTER",
};

static void secrets_go(void **state)
{
    (void)state;
    char text[512];
    for (size_t i = 0; i < sizeof secrets / sizeof secrets[0]; i++) {
        redact(secrets[i], text, sizeof text);
        if (strstr(text, "HUNTER"))
            fail_msg("%s -> %s", secrets[i], text);
    }
}

static void command_lines(void **state)
{
    (void)state;
    // | stands for the NUL behind each argument.
    static const char *const pairs[][2] = {
        {"/usr/bin/python3|app.py|--port|80|", "/usr/bin/python3 app.py --port 80"},
        {"python3|-c|import x|", "python3 -c ***"},
        {"mysql|-uroot|-phunter|db|", "mysql -uroot -p*** db"},
        {"psql|postgres://u:x@h/d|", "psql postgres://u:***@h/d"},
        {"app|--password|x|--port|80|", "app --password *** --port 80"},
        {"app|--token=x|--dsn=host=h password=x|", "app --token=*** --dsn=***"},
        {"app|--db=postgres://u:x@h/d|", "app --db=postgres://u:***@h/d"},
        {"curl|-u|u:x|http://h/|", "curl -u u:*** http://h/"},
        {"env|PGPASSWORD=x|app|", "env PGPASSWORD=*** app"},
        {"pytest|tests/test_x.py::test_a|-k|foo|", "pytest tests/test_x.py::test_a -k foo"},
        {"gunicorn|app:application|-b|127.0.0.1:8000|",
         "gunicorn app:application -b 127.0.0.1:8000"},
        {"postgres: u db secret=x|", "postgres: ***"},
        {"app|/my documents/x.py|cut", "app /my documents/x.py"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        char arguments[256];
        char text[256];
        size_t bytes = strlen(pairs[i][0]);
        for (size_t at = 0; at <= bytes; at++)
            arguments[at] = pairs[i][0][at] == '|' ? '\0' : pairs[i][0][at];
        size_t length = redact_command(arguments, bytes, text, sizeof text);
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
    assert_string_equal(text, "dbpw;***");
    assert_int_equal(redact("abc", text, 1), 0);
    assert_string_equal(text, "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(passwords_go),
        cmocka_unit_test(secrets_go),
        cmocka_unit_test(command_lines),
        cmocka_unit_test(long_texts_are_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
