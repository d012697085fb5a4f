// The check of the order of locks: what it lets pass, and that it ends a process that takes two the
// wrong way round, with both places.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

#include "recorder/core/lock_order.h"

static struct lock modules = LOCK_OF(LOCK_MODULES), intern = LOCK_OF(LOCK_INTERN),
                   opening = LOCK_OF(LOCK_OPENING), trace = LOCK_OF(LOCK_TRACE),
                   shards[2] = {LOCK_OF(LOCK_SHARD), LOCK_OF(LOCK_SHARD)};

static void in_order(void)
{
    lock_take(&opening);
    lock_take(&modules);
    lock_take(&intern);
    lock_take(&trace);
    lock_give(&trace);
    lock_give(&intern);
    lock_give(&modules);
    lock_take(&modules);
    lock_give(&modules);
    lock_give(&opening);
}

// What h3 of old did: the modules' lock is held, and interning opens the trace.
static void upside_down(void)
{
    lock_take(&modules);
    lock_take(&opening);
}

static void same_twice(void)
{
    lock_take(&shards[0]);
    lock_take(&shards[1]);
}

static void all_for_a_fork(void)
{
    lock_order_all(true);
    lock_take(&shards[0]);
    lock_take(&shards[1]);
    lock_give(&shards[1]);
    lock_give(&shards[0]);
    lock_order_all(false);
}

static void loader_again(void)
{
    lock_order_take(LOCK_LOADER, "one");
    lock_take(&modules);
    lock_order_take(LOCK_LOADER, "two"); // the same thread has it already
    lock_order_give(LOCK_LOADER);
    lock_give(&modules);
    lock_order_give(LOCK_LOADER);
}

static void loader_under_ours(void)
{
    lock_take(&intern);
    lock_order_take(LOCK_LOADER, "the_loader.c:1");
}

static void *in_a_thread(void *unused)
{
    in_order();
    return unused;
}

static void other_thread(void)
{
    pthread_t thread;
    lock_take(&intern); // what it holds is no matter of the other one's
    lock_give(&intern);
    lock_take(&trace);
    lock_give(&trace);
    assert_int_equal(pthread_create(&thread, NULL, in_a_thread, NULL), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
}

// How a child ends that does this, and what it writes.
static int run(void (*what)(void), char text[1024])
{
    int fds[2], status;
    assert_int_equal(pipe(fds), 0);
    pid_t child = fork();
    if (child == 0) {
        (void)dup2(fds[1], STDERR_FILENO);
        what();
        _exit(0);
    }
    (void)close(fds[1]);
    ssize_t got = read(fds[0], text, 1023), more;
    for (; got > 0 && (more = read(fds[0], text + got, (size_t)(1023 - got))) > 0; got += more)
        continue;
    text[got > 0 ? got : 0] = 0;
    (void)close(fds[0]);
    assert_int_equal(waitpid(child, &status, 0), child);
    return status;
}

static void test_passes(void **state)
{
    char text[1024];
    (void)state;
    assert_int_equal(run(in_order, text), 0);
    assert_int_equal(run(all_for_a_fork, text), 0);
    assert_int_equal(run(loader_again, text), 0);
    assert_int_equal(run(other_thread, text), 0);
    assert_string_equal(text, "");
}

static void ends(void (*what)(void), const char *one, const char *other)
{
    char text[1024];
    int status = run(what, text);
    assert_true(WIFSIGNALED(status));
    assert_int_equal(WTERMSIG(status), SIGABRT);
    assert_non_null(strstr(text, "order of locks"));
    const char *at = strstr(text, one);
    assert_non_null(at);
    assert_non_null(strstr(at + 1, other));
}

static void test_ends(void **state)
{
    (void)state;
    ends(upside_down, "test_lock_order.c:", "test_lock_order.c:");
    ends(same_twice, "test_lock_order.c:", "test_lock_order.c:");
    ends(loader_under_ours, "the_loader.c:1", "test_lock_order.c:");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_passes),
        cmocka_unit_test(test_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
