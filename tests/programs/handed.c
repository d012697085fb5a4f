// Sessions that functions hand on to their callers, or keep: who is to blame is known for each
// line.
//
// Usage: handed; prints nothing. Each function that ends in a number leaks that many of its 15.
#include <stdlib.h>

#include <sqlite3.h>
#include <unclosed.h>

struct store {
    sqlite3 *db;
};

static sqlite3 *returned(void)
{
    sqlite3 *db = NULL;
    if (sqlite3_open(":memory:", &db) != SQLITE_OK) { // site: returned
        sqlite3_close(db);
        db = NULL;
    }
    return db;
}

static int put_out(sqlite3 **db)
{
    return sqlite3_open_v2(":memory:", db, SQLITE_OPEN_READWRITE, NULL);
}

static struct store *store_new(void)
{
    struct store *store = calloc(1, sizeof *store);
    if (store)
        store->db = returned();
    return store;
}

static void store_free(struct store *store)
{
    sqlite3_close(store->db);
    free(store);
}

static __attribute__((noinline)) void return_5(int i)
{
    sqlite3 *db = returned(); // site: return_5
    if (i % 3 != 2)
        sqlite3_close(db);
}

static __attribute__((noinline)) void return_3(int i)
{
    sqlite3 *db = returned(); // site: return_3
    if (i % 5 != 4)
        sqlite3_close(db);
}

static __attribute__((noinline)) void out_5(int i)
{
    sqlite3 *db;
    if (put_out(&db) == SQLITE_OK && i % 3 != 2) // site: out_5
        sqlite3_close(db);
}

static __attribute__((noinline)) void out_0(int i)
{
    sqlite3 *db;
    (void)i;
    if (put_out(&db) == SQLITE_OK) // site: out_0
        sqlite3_close(db);
}

static __attribute__((noinline)) void store_5(int i)
{
    struct store *store = store_new(); // site: store_5
    if (i % 3 != 2)
        store_free(store);
}

static __attribute__((noinline)) void store_3(int i)
{
    struct store *store = store_new(); // site: store_3
    if (i % 5 != 4)
        store_free(store);
}

// Opens, closes and forgets itself: no caller is to blame.
static __attribute__((noinline)) int itself_5(int i)
{
    sqlite3 *db;
    if (sqlite3_open(":memory:", &db) != SQLITE_OK) // site: itself_5
        return -1;
    if (sqlite3_exec(db, i % 3 == 2 ? "select * from nothing" : "select 1", NULL, NULL, NULL))
        return -1;
    sqlite3_close(db);
    return 0;
}

// The same, closing by a jump if the compiler likes: it is not on the stack then.
static __attribute__((noinline)) int jump_5(int i)
{
    sqlite3 *db;
    if (sqlite3_open(":memory:", &db) != SQLITE_OK || i % 3 == 2) // site: jump_5
        return -1;
    return sqlite3_close(db);
}

static __attribute__((noinline)) void call_itself(int i)
{
    if (i % 3 == 2)
        (void)itself_5(i);
    else
        (void)itself_5(i);
}

static volatile int failures;

static __attribute__((noinline)) void call_jump(int i)
{
    if (i % 3 == 2)
        failures += jump_5(i);
    else
        failures += jump_5(i);
}

// A pool that announces itself.
static struct {
    int taken[64];
} pool;

static int *pool_get(void)
{
    for (int i = 0; i < 64; i++)
        if (!pool.taken[i]) {
            pool.taken[i] = 1;
            unclosed_acquire(&pool, &pool.taken[i]);
            return &pool.taken[i];
        }
    return NULL;
}

static void pool_put(int *connection)
{
    unclosed_release(&pool, connection);
    *connection = 0;
}

static __attribute__((noinline)) void pool_5(int i)
{
    int *connection = pool_get(); // site: pool_5
    if (i % 3 != 2)
        pool_put(connection);
}

static __attribute__((noinline)) void pool_3(int i)
{
    int *connection = pool_get(); // site: pool_3
    if (i % 5 != 4)
        pool_put(connection);
}

// Handlers that a loop calls, each by the same line; a later one closes what they kept. Here the
// handler is the place.
static sqlite3 *kept[2];

static __attribute__((noinline)) void begin_5(int i)
{
    sqlite3_open(":memory:", &kept[0]); // site: begin_5
    if (i % 3 == 2)
        kept[0] = NULL;
}

static __attribute__((noinline)) void begin_3(int i)
{
    sqlite3_open(":memory:", &kept[1]); // site: begin_3
    if (i % 5 == 4)
        kept[1] = NULL;
}

static __attribute__((noinline)) void finish(int i)
{
    (void)i;
    sqlite3_close(kept[0]);
    sqlite3_close(kept[1]);
}

int main(void)
{
    static void (*const handlers[])(int) = {return_5, return_3,    out_5,     out_0,  store_5,
                                            store_3,  call_itself, call_jump, pool_5, pool_3,
                                            begin_5,  begin_3,     finish};
    for (int i = 0; i < 15; i++)
        for (size_t j = 0; j < sizeof handlers / sizeof *handlers; j++)
            handlers[j](i);
    return 0;
}
