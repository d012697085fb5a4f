// What --force may replace: old traces of ours, and never anything else.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

#include "trace/trace_format.h"
#include "trace/trace_replace.h"
#include "trace/trace_writer.h"

static char path[64], other[80];

static int begin(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "/tmp/unclosed-replace-%d.trace", (int)getpid());
    snprintf(other, sizeof other, "%s.other", path);
    unlink(path);
    unlink(other);
    alarm(20); // what waits for a FIFO waits for ever
    return 0;
}

static int end(void **state)
{
    (void)state;
    unlink(path);
    unlink(other);
    alarm(0);
    return 0;
}

// A process that has ended.
static uint32_t gone(void)
{
    pid_t pid = fork();
    if (pid == 0)
        _exit(0);
    (void)waitpid(pid, NULL, 0);
    return (uint32_t)pid;
}

static void make_trace(const char *name, uint32_t pid, uint64_t run_id)
{
    static struct trace_writer writer;
    assert_int_equal(trace_create(&writer, name), 0);
    writer.header->pid = pid;
    writer.header->run_id = run_id;
    trace_forget(&writer);
}

// Stays, whatever is asked.
static void assert_stays(const char *name)
{
    struct stat before, after;
    assert_int_equal(lstat(name, &before), 0);
    assert_int_equal(trace_may_replace(name, 1, 7), -EEXIST);
    assert_int_equal(trace_remove_old(name, 1, 7), -EEXIST);
    assert_int_equal(lstat(name, &after), 0);
    assert_int_equal(before.st_ino, after.st_ino);
}

static void test_old_traces(void **state)
{
    (void)state;
    assert_int_equal(trace_remove_old(path, 1, 0), -ENOENT);
    make_trace(path, gone(), 5);
    assert_int_equal(trace_may_replace(path, 1, 7), 0);
    assert_int_equal(access(path, F_OK), 0);
    assert_int_equal(trace_remove_old(path, 1, 7), 0);
    assert_int_equal(access(path, F_OK), -1);
    make_trace(path, 0, 0); // of a process that was killed while it made the file
    assert_int_equal(trace_remove_old(path, 1, 0), 0);
    make_trace(path, (uint32_t)getpid(), 5); // of this process before it executed another program
    assert_int_equal(trace_remove_old(path, (uint32_t)getpid(), 0), 0);
}

static void test_traces_in_use(void **state)
{
    (void)state;
    make_trace(path, gone(), 7); // of the same run
    assert_stays(path);
    unlink(path);
    make_trace(path, (uint32_t)getppid(), 5);
    assert_stays(path);
}

static void test_other_files(void **state)
{
    (void)state;
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    assert_int_equal(write(fd, "UNCLOSE my thesis", 17), 17);
    close(fd);
    assert_stays(path);
    unlink(path);
    close(open(path, O_CREAT | O_WRONLY, 0600)); // empty
    assert_stays(path);
    unlink(path);
    assert_int_equal(mkfifo(path, 0600), 0);
    assert_stays(path);
    unlink(path);
    assert_int_equal(mkdir(path, 0700), 0);
    assert_stays(path);
    rmdir(path);
}

static void test_links(void **state)
{
    (void)state;
    make_trace(other, gone(), 5);
    assert_int_equal(symlink(other, path), 0);
    assert_stays(path);
    unlink(path);
    assert_int_equal(symlink("/nonexistent/file", path), 0);
    assert_stays(path);
    unlink(path);
    assert_int_equal(link(other, path), 0);
    assert_stays(path);
    assert_stays(other);
}

static void test_what_only_root_can_make(void **state)
{
    (void)state;
    if (geteuid() != 0)
        skip();
    make_trace(path, gone(), 5);
    assert_int_equal(chown(path, 12345, 12345), 0);
    assert_stays(path);
    unlink(path);
    if (mknod(path, S_IFCHR | 0600, makedev(1, 3)) != 0)
        skip();
    assert_stays(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_old_traces, begin, end),
        cmocka_unit_test_setup_teardown(test_traces_in_use, begin, end),
        cmocka_unit_test_setup_teardown(test_other_files, begin, end),
        cmocka_unit_test_setup_teardown(test_links, begin, end),
        cmocka_unit_test_setup_teardown(test_what_only_root_can_make, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
