// libzdb's pool: connections taken and returned, taken and lost, an exhausted pool, and exceptions
// of libzdb's own (longjmp) that pass by.
//
// Usage: zdb SCENARIO; prints what the program did and what the pool says is active.
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <zdb/zdb.h>

static int taken, returned, failed, caught;

static void use_and_close(ConnectionPool_T pool)
{
    for (int i = 0; i < 25; i++) {
        Connection_T connection = ConnectionPool_getConnection(pool);
        taken += connection != NULL;
        Connection_execute(connection, "create table if not exists t(x)");
        ResultSet_T rows = Connection_executeQuery(connection, "select count(*) from t");
        while (ResultSet_next(rows))
            ;
        Connection_close(connection);
        returned++;
    }
}

static void return_by_pool(ConnectionPool_T pool)
{
    for (int i = 0; i < 10; i++) {
        Connection_T connection = ConnectionPool_getConnection(pool);
        taken += connection != NULL;
        ConnectionPool_returnConnection(pool, connection);
        returned++;
    }
}

static void leak(ConnectionPool_T pool)
{
    for (int i = 0; i < 3; i++)
        taken += ConnectionPool_getConnection(pool) != NULL; // site: zdb leak
}

static void exhaust(ConnectionPool_T pool)
{
    Connection_T held[5];
    for (int i = 0; i < 5; i++) {
        held[i] = ConnectionPool_getConnection(pool); // site: zdb exhaust
        taken += held[i] != NULL;
    }
    for (int i = 0; i < 4; i++)
        failed += ConnectionPool_getConnection(pool) == NULL;
    for (int i = 0; i < 5; i++) {
        Connection_close(held[i]);
        returned++;
    }
}

// The statement fails, libzdb jumps to CATCH; the handler forgets the connection every other time.
static void exceptions(ConnectionPool_T pool)
{
    for (volatile int i = 0; i < 4; i++) {
        volatile Connection_T connection = NULL;
        TRY
        {
            connection = ConnectionPool_getConnection(pool); // site: zdb exception
            taken += connection != NULL;
            Connection_execute(connection, "no such statement");
            Connection_close(connection);
            returned++;
        }
        CATCH(SQLException)
        {
            caught++;
            if (i % 2 == 0) {
                Connection_close(connection);
                returned++;
            }
        }
        END_TRY;
    }
}

static const struct {
    const char *name;
    void (*run)(ConnectionPool_T pool);
} scenarios[] = {
    {"use_and_close", use_and_close},
    {"return_by_pool", return_by_pool},
    {"leak", leak},
    {"exhaust", exhaust},
    {"exceptions", exceptions},
};

int main(int argc, char **argv)
{
    char folder[4096], text[4200];
    if (getcwd(folder, sizeof folder) == NULL)
        return 2;
    snprintf(text, sizeof text, "sqlite://%s/zdb.db?synchronous=off", folder);
    URL_T url = URL_new(text);
    ConnectionPool_T pool = ConnectionPool_new(url);
    ConnectionPool_setInitialConnections(pool, 2);
    ConnectionPool_setMaxConnections(pool, 5);
    ConnectionPool_start(pool);
    int run = 0;
    for (int i = 1; i < argc; i++)
        for (size_t s = 0; s < sizeof scenarios / sizeof scenarios[0]; s++)
            if (strcmp(argv[i], scenarios[s].name) == 0) {
                scenarios[s].run(pool);
                run++;
            }
    int active = ConnectionPool_active(pool);
    printf("pid=%d taken=%d returned=%d failed=%d caught=%d active=%d\n", (int)getpid(), taken,
           returned, failed, caught, active);
    if (active == 0) { // stopping a pool that has connections out is an error of its own
        ConnectionPool_stop(pool);
        ConnectionPool_free(&pool);
    }
    URL_free(&url);
    return run == 0;
}
