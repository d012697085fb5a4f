// Stacks that are recognized by reading them are those that unwinding gives: random paths through
// frames of all kinds, each compared with glibc's backtrace().
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <execinfo.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "recorder/core/confined.h"
#include "recorder/core/recorder.h"
#include "recorder/stacks/capture.h"
#include "recorder/stacks/own_code.h"
#include "recorder/stacks/unwind.h"
#include "stack_paths.h"

// What capture.c needs of the rest of the recorder.
struct options recorder_options = {.depth = 64};
atomic_bool confined_flag;
__thread struct recorder_thread recorder_thread;
void (*recorder_language_frames)(struct stack *stack, const struct stack_origin *origin);

static __thread unsigned compared, recalled;

// Stands for the wrapper: its own frame pointer is saved, and below lies the return address.
__attribute__((noinline)) static int there(void)
{
    uint64_t *frame = __builtin_frame_address(0);
    const struct stack_origin origin = {frame + 1, frame};
    struct stack seen, memo = {.count = 0};
    recalled += stack_memo_recall(&origin, &memo);
    stack_capture_from(&origin, &seen);
    void *expected[128];
    int count = backtrace(expected, 128);
    uint32_t at = 0;
    for (int i = 0; i < count; i++) {
        uint64_t address = (uint64_t)(uintptr_t)expected[i];
        if (own_code_has(address)) // this executable's, as far as the recorder knows its own
            continue;
        assert_true(at < seen.count);
        assert_int_equal(seen.frames[at++], address);
    }
    assert_int_equal(at, seen.count);
    compared++;
    return 0;
}

static uint32_t next_random(uint32_t *state)
{
    *state = *state * 1664525u + 1013904223u;
    return *state >> 4;
}

// A few paths again and again, and among them any.
static void walk_all(uint32_t seed)
{
    enum { TURNS = 60000, DEPTH = 10, FAVOURITES = 3 };
    uint32_t state = seed, favourite[FAVOURITES];
    for (int i = 0; i < FAVOURITES; i++)
        favourite[i] = next_random(&state);
    for (int i = 0; i < TURNS; i++) {
        uint32_t random = next_random(&state);
        uint32_t path = random % 8 ? favourite[random / 8 % FAVOURITES] : random;
        stack_paths_walk(path, DEPTH, there);
    }
    assert_int_equal(compared, TURNS);
    assert_true(recalled > TURNS / 100); // else nothing was tested; favourites may share a place
}

static void test_same_as_unwinding(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 4; seed++) {
        compared = recalled = 0;
        walk_all(seed);
    }
}

static void *in_thread(void *data)
{
    walk_all((uint32_t)(uintptr_t)data);
    return NULL;
}

static void test_in_threads(void **state)
{
    enum { THREADS = 4 };
    pthread_t thread[THREADS];
    (void)state;
    for (uintptr_t i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&thread[i], NULL, in_thread, (void *)(i + 10)), 0);
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_join(thread[i], NULL), 0);
}

// A remembered stack must not be taken for another one that differs in one return address only.
static void test_forget(void **state)
{
    (void)state;
    compared = recalled = 0;
    for (int i = 0; i < 100; i++)
        stack_paths_walk(0x12345, 10, there);
    unsigned before = recalled;
    assert_true(before > 50);
    stack_memo_forget();
    stack_paths_walk(0x12345, 10, there);
    assert_int_equal(recalled, before);
}

int main(void)
{
    own_code_find();
    unwind_prepare();
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_as_unwinding),
        cmocka_unit_test(test_in_threads),
        cmocka_unit_test(test_forget),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
