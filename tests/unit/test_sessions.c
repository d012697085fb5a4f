// The session table, sites and pools: what an acquire and a release leave behind, alone and from
// several threads.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "recorder/books/pools.h"
#include "recorder/books/sessions.h"
#include "recorder/books/sites.h"
#include "recorder/core/intern.h"
#include "recorder/core/recorder.h"
#include "recorder_stand_in.h"

static uint32_t kind;

static int begin(void **state)
{
    (void)state;
    stand_in_begin();
    kind = name_intern("test");
    return 0;
}

static int end(void **state)
{
    (void)state;
    stand_in_end();
    return 0;
}

// A stack of its own for each number.
static struct stack stack_of(uint64_t number)
{
    return (struct stack){.count = 3, .frames = {0x1000 + number, 0x2000, 0x3000}};
}

static uint32_t acquire_at(uint64_t handle, uint32_t pool, uint64_t number, uint64_t now)
{
    const struct stack stack = stack_of(number);
    const struct acquire acquire = {
        .handle = handle,
        .kind = kind,
        .session = TRACE_CHECKOUT,
        .pool = pool,
        .stack = &stack,
    };
    return session_acquired(&acquire, now);
}

static struct trace_session *slot(uint32_t ref)
{
    return trace_record(&recorder_trace, TRACE_SESSIONS, ref);
}

static void release(uint64_t handle)
{
    struct session session;
    assert_true(session_take(kind, handle, &session));
    session_end(&session, TRACE_RELEASED, session.taken_ns);
}

static void test_acquire_and_release(void **state)
{
    (void)state;
    uint32_t ref = acquire_at(0x10, TRACE_NONE, 1, 1000);
    assert_int_not_equal(ref, TRACE_NONE);
    assert_int_equal(slot(ref)->state, TRACE_SLOT_LIVE);
    assert_int_equal(slot(ref)->handle, 0x10);
    assert_int_equal(sessions_count(), 1);
    const struct trace_site *site = site_record(slot(ref)->site);
    assert_int_equal(site->out, 1);
    assert_int_equal(site->growth.width, 1);
    release(0x10);
    assert_int_equal(slot(ref)->state, TRACE_SLOT_FREE);
    assert_int_equal(sessions_count(), 0);
    assert_int_equal(site->out, 0);
    assert_int_equal(site->ended[TRACE_RELEASED], 1);
    struct session session;
    assert_false(session_take(kind, 0x10, &session));
}

static void test_kinds_are_apart(void **state)
{
    struct session session;
    (void)state;
    acquire_at(0x10, TRACE_NONE, 1, 1000);
    assert_false(session_take(name_intern("another"), 0x10, &session));
    release(0x10);
}

// An acquire of `pool` that took `took_ms`, until `now_ms`.
static void slow_acquire(uint64_t handle, uint32_t pool, uint64_t took_ms, uint64_t now_ms)
{
    const struct stack stack = stack_of(1);
    const struct acquire acquire = {
        .handle = handle,
        .kind = kind,
        .session = TRACE_CHECKOUT,
        .pool = pool,
        .started_ns = (now_ms - took_ms) * 1000000,
        .stack = &stack,
    };
    session_acquired(&acquire, now_ms * 1000000);
}

// Opening a connection is no wait, whatever comes back meanwhile; a full pool's next is one.
static void test_waits(void **state)
{
    (void)state;
    const uint64_t now_ms = recorder_now() / 1000000 + 1000;
    const uint32_t pool = pool_intern(kind, 0x99, TRACE_NONE);
    const struct trace_pool *record = pool_record(pool);
    pool_describe(pool, TRACE_NONE, TRACE_NONE, 2, 1);
    slow_acquire(0x10, pool, 50, now_ms); // nobody else has one
    slow_acquire(0x20, pool, 60, now_ms);
    release(0x20); // one comes back, but the pool was not full
    slow_acquire(0x20, pool, 70, now_ms);
    slow_acquire(0x30, pool, 80, now_ms); // the last one
    assert_int_equal(record->waits, 0);
    assert_int_equal(record->openings, 4);
    assert_int_equal(record->longest_opening_ns, 80 * 1000000);
    release(0x10); // the pool was full: who was waiting gets it
    slow_acquire(0x10, pool, 3000, now_ms + 1000);
    assert_int_equal(record->waits, 1);
    assert_int_equal(record->longest_wait_ns, UINT64_C(3000) * 1000000);
    assert_int_equal(record->openings, 4);
}

// Where the size is not known, something must have come back meanwhile.
static void test_waits_without_size(void **state)
{
    (void)state;
    const uint64_t now_ms = recorder_now() / 1000000 + 1000;
    const uint32_t pool = pool_intern(kind, 0x98, TRACE_NONE);
    slow_acquire(0x10, pool, 50, now_ms);
    slow_acquire(0x20, pool, 50, now_ms);
    assert_int_equal(pool_record(pool)->waits, 0);
    release(0x10);
    slow_acquire(0x10, pool, 3000, now_ms + 1000);
    assert_int_equal(pool_record(pool)->waits, 1);
}

static void test_refused(void **state)
{
    struct session session;
    (void)state;
    uint32_t ref = acquire_at(0x10, TRACE_NONE, 1, 1000);
    const struct trace_site *site = site_record(slot(ref)->site);
    assert_true(session_take(kind, 0x10, &session));
    assert_int_equal(slot(ref)->state, TRACE_SLOT_RELEASING);
    session_put_back(&session, TRACE_SESSION_REFUSED);
    assert_int_equal(slot(ref)->state, TRACE_SLOT_LIVE);
    assert_true(slot(ref)->flags & TRACE_SESSION_REFUSED);
    assert_int_equal(site->refusals, 1);
    assert_int_equal(site->out, 1);
    assert_int_equal(site->total_hold_ns, 0);
    release(0x10); // a later one works
    assert_int_equal(site->ended[TRACE_RELEASED], 1);
}

// The object is gone and its place in the pool with it: it stays out, whatever its address is used
// for.
static void test_lost(void **state)
{
    struct session session;
    (void)state;
    uint32_t pool = pool_intern(kind, 0x77, TRACE_NONE);
    uint32_t ref = acquire_at(0x10, pool, 1, 1000);
    assert_true(session_take(kind, 0x10, &session));
    session_lose(&session);
    assert_int_equal(slot(ref)->state, TRACE_SLOT_LIVE);
    assert_true(slot(ref)->flags & TRACE_SESSION_LOST);
    assert_false(session_is_known(kind, 0x10));
    uint32_t next = acquire_at(0x10, pool, 1, 2000);
    assert_int_not_equal(next, ref);
    assert_int_equal(pool_record(pool)->out, 2);
    release(0x10);
    assert_int_equal(pool_record(pool)->out, 1);
    assert_int_equal(sessions_count(), 1);
    assert_int_equal(site_record(slot(ref)->site)->ended[TRACE_LOST_RELEASE], 0);
}

// The address of a closed handle is handed out again before close has returned.
static void test_address_is_reused_during_release(void **state)
{
    struct session session;
    (void)state;
    uint32_t first = acquire_at(0x10, TRACE_NONE, 1, 1000);
    assert_true(session_take(kind, 0x10, &session));
    uint32_t second = acquire_at(0x10, TRACE_NONE, 2, 2000);
    assert_int_not_equal(first, second);
    session_end(&session, TRACE_RELEASED, session.taken_ns);
    assert_int_equal(slot(first)->state, TRACE_SLOT_FREE);
    assert_int_equal(slot(second)->state, TRACE_SLOT_LIVE);
    assert_int_equal(site_record(slot(second)->site)->ended[TRACE_LOST_RELEASE], 0);
}

static void test_acquired_again_without_release(void **state)
{
    (void)state;
    uint32_t first = acquire_at(0x10, TRACE_NONE, 1, 1000);
    const struct trace_site *site = site_record(slot(first)->site);
    acquire_at(0x10, TRACE_NONE, 2, 2000);
    assert_int_equal(sessions_count(), 1);
    assert_int_equal(site->ended[TRACE_LOST_RELEASE], 1);
}

static void test_nested_acquire_counts_once(void **state)
{
    (void)state;
    const struct stack stack = stack_of(1);
    struct acquire acquire = {
        .handle = 0x10, .kind = kind, .session = TRACE_CHECKOUT, .stack = &stack};
    uint32_t inner = session_acquired(&acquire, 2000);
    acquire.since_ns = 1000; // the outer call began before
    assert_int_equal(session_acquired(&acquire, 3000), inner);
    assert_int_equal(sessions_count(), 1);
    release(0x10);
    assert_int_equal(site_record(slot(inner)->site)->ended[TRACE_RELEASED], 1);
}

static void test_counted_handle(void **state)
{
    (void)state;
    const struct stack stack = stack_of(1);
    const struct acquire acquire = {
        .handle = 0x10, .kind = kind, .session = TRACE_CHECKOUT, .counted = true, .stack = &stack};
    struct session session;
    session_acquired(&acquire, 1000);
    session_acquired(&acquire, 2000);
    assert_false(session_take(kind, 0x10, &session));
    assert_true(session.still_out);
    release(0x10);
    assert_int_equal(sessions_count(), 0);
}

// The high-water mark names who was out at that moment, whatever happened afterwards.
static void test_holders_at_the_peak(void **state)
{
    (void)state;
    uint32_t pool = pool_intern(kind, 0x99, TRACE_NONE);
    uint32_t a = acquire_at(0x10, pool, 1, 1000), b = acquire_at(0x20, pool, 2, 2000);
    acquire_at(0x30, pool, 2, 3000);
    release(0x10);
    release(0x20);
    acquire_at(0x40, pool, 3, 4000);
    const struct trace_pool *record = pool_record(pool);
    const struct trace_site *site_a = site_record(slot(a)->site);
    const struct trace_site *site_b = site_record(slot(b)->site);
    assert_int_equal(record->out, 2);
    assert_int_equal(record->high_water, 3);
    assert_int_equal(record->high_water_ns, 3000);
    assert_int_equal(site_a->peak == record->peak ? site_a->out_at_peak : site_a->out, 1);
    assert_int_equal(site_b->peak == record->peak ? site_b->out_at_peak : site_b->out, 2);
}

static void test_double_release_is_told_from_unknown(void **state)
{
    uint32_t site, database;
    (void)state;
    acquire_at(0x10, TRACE_NONE, 1, 1000);
    release(0x10);
    assert_true(session_recently_ended(kind, 0x10, &site, &database));
    assert_false(session_recently_ended(kind, 0x20, &site, &database));
}

// Memory grows with what is out at once, not with the number of calls.
static void test_slots_are_reused(void **state)
{
    enum { CALLS = 20000, AT_ONCE = 10 };
    (void)state;
    for (uint64_t i = 0; i < AT_ONCE; i++)
        acquire_at(0x1000 + i * 16, TRACE_NONE, 1, 1000);
    for (uint64_t i = AT_ONCE; i < CALLS; i++) {
        release(0x1000 + (i - AT_ONCE) * 16);
        acquire_at(0x1000 + i * 16, TRACE_NONE, 1, 1000);
    }
    uint32_t slots = 0;
    for (uint32_t i = 0; i < recorder_trace.space[TRACE_SESSIONS].chunks; i++)
        slots += recorder_trace.space[TRACE_SESSIONS].chunk[i]->count;
    assert_true(slots <= (AT_ONCE + 1) * 16); // a shard keeps its own
}

enum { THREADS = 8, TURNS = 20000, KEPT = 50 };

static void inherit(uint64_t handle, uint32_t pool, uint64_t since_ns)
{
    const struct inherited found = {
        .handle = handle,
        .kind = kind,
        .session = TRACE_CHECKOUT,
        .pool = pool,
        .since_ns = since_ns,
        .older_s = 7,
    };
    assert_true(session_inherit(&found));
    assert_false(session_inherit(&found)); // is known
}

// The site of what was out of a pool before the attach.
static const struct trace_site *inherited_site(uint32_t pool)
{
    for (uint32_t ref = 1; ref < 16; ref++) {
        const struct trace_site *site = site_record(ref);
        if (site && site->flags & TRACE_SITE_INHERITED && site->pool == pool)
            return site;
    }
    return NULL;
}

static void test_inherited(void **state)
{
    (void)state;
    uint32_t pool = pool_intern(kind, 0x100, TRACE_NONE);
    inherit(0x10, pool, 0);
    inherit(0x20, pool, 0);
    acquire_at(0x30, pool, 1, 1000);
    const struct trace_pool *record = pool_record(pool);
    assert_int_equal(record->out, 3);
    assert_int_equal(record->high_water, 3);
    assert_int_equal(record->acquires, 1);
    release(0x10);
    session_inherited_ended(kind, TRACE_CHECKOUT, pool, TRACE_RECLAIMED); // was never known
    const struct trace_site *site = inherited_site(pool);
    assert_non_null(site);
    assert_int_equal(record->out, 2);
    assert_int_equal(site->out, 1);
    assert_int_equal(site->ended[TRACE_RELEASED], 1);
    assert_int_equal(site->ended[TRACE_RECLAIMED], 1);
    release(0x20);
    release(0x30);
}

// Found in the pool's list while its acquire was being recorded: it is that one only.
static void test_disinherited(void **state)
{
    (void)state;
    uint32_t pool = pool_intern(kind, 0x100, TRACE_NONE);
    inherit(0x10, pool, 5000);
    assert_false(
        session_disinherit(kind, 0x10, 6000)); // an earlier one, of which the end was missed
    assert_true(session_disinherit(kind, 0x10, 4000));
    assert_false(session_disinherit(kind, 0x10, 4000));
    acquire_at(0x10, pool, 1, 7000);
    assert_false(session_disinherit(kind, 0x10, 4000)); // not inherited
    assert_int_equal(pool_record(pool)->out, 1);
    const struct trace_site *site = inherited_site(pool);
    for (int i = 0; i < TRACE_ENDS; i++)
        assert_int_equal(site->ended[i], 0);
    release(0x10);
}

static void *acquire_and_release(void *data)
{
    uint64_t base = (uint64_t)(uintptr_t)data << 32;
    uint32_t pool = pool_intern(kind, 0x99, TRACE_NONE);
    for (uint64_t i = 1; i <= TURNS; i++) {
        acquire_at(base + i * 16, pool, i % 5, i);
        if (i > KEPT)
            release(base + i * 16);
    }
    return NULL;
}

static void test_threads(void **state)
{
    pthread_t thread[THREADS];
    (void)state;
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, acquire_and_release, (void *)(i + 1)), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(thread[i], NULL), 0);
    const struct trace_pool *pool = pool_record(pool_intern(kind, 0x99, TRACE_NONE));
    assert_int_equal(sessions_count(), THREADS * KEPT);
    assert_int_equal(pool->out, THREADS * KEPT);
    assert_int_equal(pool->acquires, THREADS * TURNS);
    assert_in_range(pool->high_water, THREADS * KEPT, THREADS * (KEPT + 1));
    uint64_t ended = 0;
    uint32_t out = 0;
    for (uint32_t ref = 1; ref <= 5; ref++) {
        const struct trace_site *site = site_record(ref);
        ended += site->ended[TRACE_RELEASED];
        out += site->out;
    }
    assert_int_equal(ended, THREADS * (TURNS - KEPT));
    assert_int_equal(out, THREADS * KEPT);
}

// Texts of any length are bounded, found again, and cut between characters.
static void test_long_names(void **state)
{
    enum { LONG = 200000, OTHERS = 8000 };
    static char text[LONG + 1];
    (void)state;
    memset(text, 'n', LONG);
    const uint32_t ref = name_intern(text);
    assert_int_not_equal(ref, TRACE_NONE);
    assert_int_equal(strlen(trace_string(&recorder_trace, ref)), TRACE_STRING_MOST);
    text[LONG - 1] = 'o';
    assert_int_equal(name_intern(text), ref);
    assert_int_equal(name_intern_bytes(text, LONG), ref);
    memcpy(text + TRACE_STRING_MOST - 2, "\xe2\x82\xac", 3); // a euro sign, its last byte beyond
    const uint32_t cut = name_intern(text);
    assert_int_not_equal(cut, ref);
    assert_int_equal(strlen(trace_string(&recorder_trace, cut)), TRACE_STRING_MOST - 2);
    assert_int_equal(name_intern(text), cut);
    assert_int_equal(name_intern_bytes(text, TRACE_STRING_MOST + 1), cut);
    const uint64_t before = recorder_trace.header->lost[TRACE_LOST_NAMES];
    for (int i = 0; i < OTHERS; i++) { // 32 MB of names
        for (int bit = 0; bit < 16; bit++)
            text[bit] = i & 1 << bit ? '1' : '0';
        (void)name_intern(text);
    }
    assert_true(recorder_trace.header->lost[TRACE_LOST_NAMES] > before);
    assert_true(recorder_trace.header->file_bytes < 64 << 20);
}

// Somebody writes over the trace: numbers are wrong then, and nothing worse comes of it.
static void write_over(uint64_t from, unsigned char byte)
{
    static char block[4096];
    uint64_t end = recorder_trace.file_bytes;
    int fd = open(stand_in_path(), O_WRONLY);
    assert_true(fd >= 0);
    memset(block, byte, sizeof block);
    for (uint64_t at = from; at < end; at += sizeof block)
        assert_int_equal(pwrite(fd, block, sizeof block, (off_t)at), sizeof block);
    close(fd);
}

static void use_tables(uint64_t round)
{
    const uint64_t second = 1000000000;
    char name[32];
    for (uint64_t i = 0; i < 300; i++) {
        const uint64_t now = recorder_now() + i * second;
        const uint64_t handle = round * 1000 + i + 1;
        (void)snprintf(name, sizeof name, "pool %u", (unsigned)(i % 7));
        const uint32_t pool = pool_intern(kind, 0, name_intern(name));
        struct session session;
        acquire_at(handle, pool, i % 50, now);
        (void)trace_string(&recorder_trace, (uint32_t)i * 8);
        if (i % 3 && session_take(kind, handle, &session))
            session_end(&session, TRACE_RELEASED, now + second);
    }
    (void)intern_forget_range(0x1000, 0x1010);
}

static void test_written_over(void **state)
{
    (void)state;
    alarm(60); // a loop over numbers that make no sense may not end
    for (unsigned round = 0; round < 6; round++) {
        stand_in_end();
        stand_in_begin();
        kind = name_intern("test");
        use_tables(1);
        write_over(round < 3 ? 0 : TRACE_HEADER_BYTES, (unsigned char)(0xff * (round % 3) / 2));
        for (uint64_t again = 2; again < 40; again++)
            use_tables(again);
    }
    alarm(0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_acquire_and_release, begin, end),
        cmocka_unit_test_setup_teardown(test_kinds_are_apart, begin, end),
        cmocka_unit_test_setup_teardown(test_waits, begin, end),
        cmocka_unit_test_setup_teardown(test_waits_without_size, begin, end),
        cmocka_unit_test_setup_teardown(test_refused, begin, end),
        cmocka_unit_test_setup_teardown(test_lost, begin, end),
        cmocka_unit_test_setup_teardown(test_address_is_reused_during_release, begin, end),
        cmocka_unit_test_setup_teardown(test_acquired_again_without_release, begin, end),
        cmocka_unit_test_setup_teardown(test_nested_acquire_counts_once, begin, end),
        cmocka_unit_test_setup_teardown(test_counted_handle, begin, end),
        cmocka_unit_test_setup_teardown(test_holders_at_the_peak, begin, end),
        cmocka_unit_test_setup_teardown(test_double_release_is_told_from_unknown, begin, end),
        cmocka_unit_test_setup_teardown(test_slots_are_reused, begin, end),
        cmocka_unit_test_setup_teardown(test_inherited, begin, end),
        cmocka_unit_test_setup_teardown(test_disinherited, begin, end),
        cmocka_unit_test_setup_teardown(test_threads, begin, end),
        cmocka_unit_test_setup_teardown(test_long_names, begin, end),
        cmocka_unit_test_setup_teardown(test_written_over, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
