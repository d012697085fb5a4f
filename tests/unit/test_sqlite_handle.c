// What is known of SQLite connections without asking SQLite, and the map that it is found by.
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "recorder/core/lock_order.h"
#include "recorder/core/recorder.h"
#include "recorder/hooks/sqlite_handle.h"

atomic_uint recorder_recording;

enum { THREADS = 4, KEYS = 5000, ROUNDS = 20000, DB = 0x1000 };

static struct pointer_map map = {.growth = LOCK_OF(LOCK_SQLITE_CHILD_MAP)};

static void *use_map(void *data)
{
    const uint64_t base = (uint64_t)(uintptr_t)data * KEYS * 16 + 16;
    long wrong = 0;
    for (int round = 0; round < 5; round++) {
        for (uint64_t i = 0; i < KEYS; i++)
            wrong += !pointer_map_put(&map, base + i * 16, (char *)data + i + 1);
        for (uint64_t i = 0; i < KEYS; i++)
            wrong += pointer_map_find(&map, base + i * 16) != (char *)data + i + 1;
        for (uint64_t i = 0; i < KEYS; i++) {
            wrong += pointer_map_take(&map, base + i * 16, &map) != NULL; // it has another value
            wrong += pointer_map_take(&map, base + i * 16, NULL) != (char *)data + i + 1;
            wrong += pointer_map_find(&map, base + i * 16) != NULL;
        }
    }
    return (void *)(uintptr_t)wrong;
}

static void map_keeps_what_threads_put(void **state)
{
    (void)state;
    pthread_t thread[THREADS];
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, use_map, (void *)i), 0);
    for (int i = 0; i < THREADS; i++) {
        void *wrong;
        pthread_join(thread[i], &wrong);
        assert_null(wrong);
    }
    assert_true(pointer_map_put(&map, 16, &map));
    pointer_map_clear(&map);
    assert_null(pointer_map_find(&map, 16));
}

static struct sqlite_handle *opened(uint64_t db)
{
    struct sqlite_handle *handle = sqlite_handle_open(db, NULL, SQLITE_CHILDREN_KNOWN);
    assert_non_null(handle);
    assert_ptr_equal(sqlite_handle_find(db), handle);
    return handle;
}

static void last_child_ends_a_closed_one(void **state)
{
    (void)state;
    struct sqlite_handle *handle = opened(DB);
    const uint64_t epoch = sqlite_handle_epoch(handle);
    sqlite_handle_begin_child(handle);
    sqlite_handle_begin_child(handle);
    assert_false(sqlite_handle_end_child(handle));
    assert_true(sqlite_handle_closed(handle, epoch));
    assert_true(sqlite_handle_put_aside(handle, epoch));
    assert_true(sqlite_handle_end_child(handle));
    assert_null(sqlite_handle_find(DB));
    assert_false(sqlite_handle_end_child(handle)); // one too many is no harm
}

static void close_without_children_ends_it(void **state)
{
    (void)state;
    struct sqlite_handle *handle = opened(DB);
    sqlite_handle_begin_child(handle);
    assert_false(sqlite_handle_end_child(handle));
    assert_false(sqlite_handle_closed(handle, sqlite_handle_epoch(handle)));
    assert_null(sqlite_handle_find(DB));
}

// The last child goes between the close and the moment at which the session is back in its table.
static void child_leaves_it_to_the_close(void **state)
{
    (void)state;
    struct sqlite_handle *handle = opened(DB);
    const uint64_t epoch = sqlite_handle_epoch(handle);
    sqlite_handle_begin_child(handle);
    assert_true(sqlite_handle_closed(handle, epoch));
    assert_false(sqlite_handle_end_child(handle));
    assert_false(sqlite_handle_put_aside(handle, epoch));
    assert_null(sqlite_handle_find(DB));
}

static void address_is_used_again(void **state)
{
    (void)state;
    struct sqlite_handle *old = opened(DB);
    const uint64_t epoch = sqlite_handle_epoch(old);
    sqlite_handle_begin_child(old);
    assert_true(sqlite_handle_closed(old, epoch));
    struct sqlite_handle *fresh = opened(DB);
    sqlite_handle_begin_child(fresh);
    assert_false(sqlite_handle_put_aside(old, epoch)); // is not the business of the new one
    assert_int_equal(sqlite_handle_children(fresh), 1);
    sqlite_handle_forget(fresh, sqlite_handle_epoch(fresh));
    assert_null(sqlite_handle_find(DB));
    assert_null(sqlite_handle_find(0));
}

static void detach_forgets(void **state)
{
    (void)state;
    struct sqlite_handle *handle = opened(DB);
    assert_true(sqlite_child_add(0x2000, handle));
    assert_false(sqlite_child_add(0x2000, handle));
    sqlite_handles_forget_all();
    atomic_fetch_add(&recorder_recording, 1);
    assert_null(sqlite_handle_find(DB));
    assert_null(sqlite_child_take(0x2000));
    (void)opened(DB);
}

static void first_statements_are_shown(void **state)
{
    (void)state;
    uint32_t texts[SQLITE_SHOWN];
    struct sqlite_handle *handle = opened(DB);
    for (uint32_t i = 1; i <= SQLITE_SHOWN + 1; i++)
        sqlite_handle_show(handle, i * 0x100, i);
    sqlite_handle_hide(handle, 0x200);
    assert_int_equal(sqlite_handle_shown(handle, texts), SQLITE_SHOWN - 1);
    assert_int_equal(texts[0], 1);
    assert_int_equal(texts[1], 3);
}

// A close and the end of the last child, by two threads: exactly one of them ends it.
static struct {
    struct sqlite_handle *handle;
    uint64_t epoch;
    pthread_barrier_t begin, end;
    atomic_long ended;
} race;

static void *close_it(void *unused)
{
    (void)unused;
    for (int i = 0; i < ROUNDS; i++) {
        pthread_barrier_wait(&race.begin);
        if (!sqlite_handle_closed(race.handle, race.epoch) ||
            !sqlite_handle_put_aside(race.handle, race.epoch))
            atomic_fetch_add(&race.ended, 1);
        pthread_barrier_wait(&race.end);
    }
    return NULL;
}

static void exactly_one_ends_it(void **state)
{
    (void)state;
    pthread_t thread;
    pthread_barrier_init(&race.begin, NULL, 2);
    pthread_barrier_init(&race.end, NULL, 2);
    assert_int_equal(pthread_create(&thread, NULL, close_it, NULL), 0);
    for (int i = 0; i < ROUNDS; i++) {
        race.handle = opened(DB + (uint64_t)(i % 3) * 16);
        race.epoch = sqlite_handle_epoch(race.handle);
        sqlite_handle_begin_child(race.handle);
        pthread_barrier_wait(&race.begin);
        if (sqlite_handle_end_child(race.handle))
            atomic_fetch_add(&race.ended, 1);
        pthread_barrier_wait(&race.end);
        assert_int_equal(atomic_load(&race.ended), i + 1);
    }
    pthread_join(thread, NULL);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(map_keeps_what_threads_put),
        cmocka_unit_test(last_child_ends_a_closed_one),
        cmocka_unit_test(close_without_children_ends_it),
        cmocka_unit_test(child_leaves_it_to_the_close),
        cmocka_unit_test(address_is_used_again),
        cmocka_unit_test(detach_forgets),
        cmocka_unit_test(first_statements_are_shown),
        cmocka_unit_test(exactly_one_ends_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
