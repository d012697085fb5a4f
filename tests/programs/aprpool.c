// Apache Portable Runtime: a resource list of real database connections (apr_dbd with SQLite), used
// in every way its interface has.
//
// Usage: aprpool SCENARIO...; prints what it did itself.
#include <apr_dbd.h>
#include <apr_general.h>
#include <apr_pools.h>
#include <apr_reslist.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static apr_pool_t *memory;
static const apr_dbd_driver_t *driver;
static int connections, acquired, released, invalidated, failed;

static void must(int condition, const char *what)
{
    if (!condition) {
        fprintf(stderr, "%s\n", what);
        exit(99);
    }
}

static apr_status_t construct(void **resource, void *params, apr_pool_t *pool)
{
    apr_dbd_t *connection = NULL;
    apr_status_t status = apr_dbd_open(driver, pool, params, &connection);
    connections += status == APR_SUCCESS;
    *resource = connection;
    return status;
}

static apr_status_t destruct(void *resource, void *params, apr_pool_t *pool)
{
    (void)params;
    (void)pool;
    return apr_dbd_close(driver, resource);
}

// At least 1, at most 3 connections, kept for ever; an acquire waits for 50 ms.
static apr_reslist_t *create(void)
{
    apr_reslist_t *list;
    must(apr_reslist_create(&list, 1, 2, 3, 0, construct, destruct, (void *)"apr.db", memory) ==
             APR_SUCCESS,
         "apr_reslist_create");
    apr_reslist_timeout_set(list, 50000);
    return list;
}

static apr_dbd_t *take(apr_reslist_t *list)
{
    void *resource = NULL;
    if (apr_reslist_acquire(list, &resource) == APR_SUCCESS) // site: apr take
        acquired++;
    else
        failed++;
    return resource;
}

static void give(apr_reslist_t *list, apr_dbd_t *connection)
{
    must(apr_reslist_release(list, connection) == APR_SUCCESS, "apr_reslist_release");
    released++;
}

static __attribute__((noinline)) void balanced(apr_reslist_t *list)
{
    for (int i = 0; i < 30; i++) {
        apr_dbd_t *first = take(list), *second = take(list);
        give(list, first);
        give(list, second);
    }
}

static __attribute__((noinline)) void exhausted(apr_reslist_t *list)
{
    apr_dbd_t *held[3];
    for (int i = 0; i < 3; i++)
        held[i] = take(list); // site: apr held
    must(take(list) == NULL, "the list is empty");
    for (int i = 0; i < 3; i++)
        give(list, held[i]);
}

static __attribute__((noinline)) void invalid(apr_reslist_t *list)
{
    for (int i = 0; i < 4; i++) {
        apr_dbd_t *connection = take(list);
        must(apr_reslist_invalidate(list, connection) == APR_SUCCESS, "apr_reslist_invalidate");
        invalidated++;
    }
}

static __attribute__((noinline)) void leaking(apr_reslist_t *list)
{
    void *resource = NULL;
    must(apr_reslist_acquire(list, &resource) == APR_SUCCESS, "acquire"); // site: apr leak
    acquired++;
}

static const struct {
    const char *name;
    void (*run)(apr_reslist_t *list);
} scenarios[] = {
    {"balanced", balanced}, {"exhausted", exhausted}, {"invalid", invalid}, {"leaking", leaking}};

int main(int argc, char **argv)
{
    apr_initialize();
    apr_pool_create(&memory, NULL);
    apr_dbd_init(memory);
    must(apr_dbd_get_driver(memory, "sqlite3", &driver) == APR_SUCCESS, "apr_dbd_get_driver");
    apr_reslist_t *list = create();
    for (int i = 1; i < argc; i++)
        for (size_t s = 0; s < sizeof scenarios / sizeof scenarios[0]; s++)
            if (strcmp(argv[i], scenarios[s].name) == 0)
                scenarios[s].run(list);
    printf("pid=%d connections=%d acquired=%d released=%d invalidated=%d failed=%d\n",
           (int)getpid(), connections, acquired, released, invalidated, failed);
    if (acquired == released + invalidated)
        apr_reslist_destroy(list);
    return 0;
}
