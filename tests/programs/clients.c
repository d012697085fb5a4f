// Client libraries of database servers, as far as they go without a server: a connection that could
// not be made has to be given back all the same. unixODBC with a driver for SQLite goes all the
// way.
//
// Usage: clients libpq|mariadb|odbc DRIVER; prints what it did itself.
#include <libpq-fe.h>
#include <mysql.h>
#include <sql.h>
#include <sqlext.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static int opened, closed, failed;

static void use_libpq(void)
{
    for (int i = 0; i < 3; i++) {
        PGconn *connection =
            PQconnectdb("host=/nowhere dbname=shop password=secret"); // site: libpq
        opened += connection != NULL;
        if (i > 0) {
            PQfinish(connection);
            closed++;
        }
    }
}

static void use_mariadb(void)
{
    mysql_library_init(0, NULL, NULL);
    for (int i = 0; i < 3; i++) {
        MYSQL *connection = mysql_init(NULL); // site: mariadb
        opened += connection != NULL;
        if (!mysql_real_connect(connection, NULL, "u", "secret", "shop", 0, "/nowhere", 0))
            failed++;
        if (i > 0) {
            mysql_close(connection);
            closed++;
        }
    }
}

static void use_odbc(const char *driver)
{
    SQLHENV environment;
    SQLHDBC connection[4];
    char text[500];
    snprintf(text, sizeof text, "DRIVER=%s;Database=odbc.db;PWD=secret", driver);
    SQLAllocHandle(SQL_HANDLE_ENV, SQL_NULL_HANDLE, &environment);
    SQLSetEnvAttr(environment, SQL_ATTR_ODBC_VERSION, (void *)SQL_OV_ODBC3, 0);
    for (int i = 0; i < 4; i++) {
        SQLAllocHandle(SQL_HANDLE_DBC, environment, &connection[i]);
        SQLRETURN status = SQLDriverConnect(connection[i], NULL, // site: odbc
                                            (SQLCHAR *)(i < 3 ? text : "DRIVER=/nowhere.so"),
                                            SQL_NTS, NULL, 0, NULL, SQL_DRIVER_NOPROMPT);
        if (SQL_SUCCEEDED(status))
            opened++;
        else
            failed++;
    }
    for (int i = 1; i < 3; i++)
        closed += SQL_SUCCEEDED(SQLDisconnect(connection[i]));
}

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], "libpq") == 0)
        use_libpq();
    if (argc > 1 && strcmp(argv[1], "mariadb") == 0)
        use_mariadb();
    if (argc > 2 && strcmp(argv[1], "odbc") == 0)
        use_odbc(argv[2]);
    printf("pid=%d opened=%d closed=%d failed=%d\n", (int)getpid(), opened, closed, failed);
    return 0;
}
