// The trace writer: growing, limits, names that are taken, descriptors that are reused.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "trace/trace_writer.h"

static char path[64];
static struct trace_writer writer;

static int begin(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "/tmp/unclosed-writer-%d.trace", (int)getpid());
    unlink(path);
    return 0;
}

static int end(void **state)
{
    (void)state;
    trace_forget(&writer);
    unlink(path);
    return 0;
}

static uint32_t append(const char *text)
{
    return trace_append_string(&writer, text, strlen(text));
}

static void test_strings_survive_growing(void **state)
{
    enum { COUNT = 20000 };
    static uint32_t ref[COUNT];
    char text[64];
    (void)state;
    assert_int_equal(trace_create(&writer, path), 0);
    for (int i = 0; i < COUNT; i++) {
        snprintf(text, sizeof text, "number %d of many strings", i);
        ref[i] = append(text);
        assert_int_not_equal(ref[i], TRACE_NONE);
    }
    assert_true(writer.space[TRACE_STRINGS].chunks > 1);
    for (int i = 0; i < COUNT; i++) {
        snprintf(text, sizeof text, "number %d of many strings", i);
        assert_string_equal(trace_string(&writer, ref[i]), text);
    }
    assert_string_equal(trace_string(&writer, TRACE_NONE), "");
}

static void test_records_survive_growing(void **state)
{
    enum { COUNT = 20000 };
    (void)state;
    assert_int_equal(trace_create(&writer, path), 0);
    for (uint32_t i = 1; i <= COUNT; i++) {
        struct trace_session *session;
        assert_int_equal(trace_new_record(&writer, TRACE_SESSIONS, &session), i);
        session->handle = i;
    }
    for (uint32_t i = 1; i <= COUNT; i++) {
        const struct trace_session *session = trace_record(&writer, TRACE_SESSIONS, i);
        assert_int_equal(session->handle, i);
    }
    assert_null(trace_record(&writer, TRACE_SESSIONS, TRACE_NONE));
}

// What lies in the file has blocks of its own: a store can never be a SIGBUS.
static void test_blocks_are_reserved(void **state)
{
    struct stat status;
    (void)state;
    assert_int_equal(trace_create(&writer, path), 0);
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_size, writer.header->file_bytes);
    assert_true((uint64_t)status.st_blocks * 512 >= writer.header->file_bytes);
    assert_int_equal(status.st_mode & 0777, 0600);
}

static void test_no_descriptor_is_kept(void **state)
{
    (void)state;
    int before = open("/dev/null", O_RDONLY);
    assert_int_equal(trace_create(&writer, path), 0);
    int after = open("/dev/null", O_RDONLY);
    assert_int_equal(after, before + 1);
    close(before);
    close(after);
}

static void test_file_size_limit(void **state)
{
    struct rlimit old, small;
    (void)state;
    assert_int_equal(trace_create(&writer, path), 0);
    getrlimit(RLIMIT_FSIZE, &old);
    small = old;
    small.rlim_cur = writer.header->file_bytes;
    setrlimit(RLIMIT_FSIZE, &small); // past it would come SIGXFSZ
    uint32_t lost_at = 0;
    for (uint32_t i = 1; i <= 100000 && !lost_at; i++) {
        struct trace_session *session;
        if (trace_new_record(&writer, TRACE_SESSIONS, &session) == TRACE_NONE) {
            assert_null(session);
            lost_at = i;
        }
    }
    setrlimit(RLIMIT_FSIZE, &old);
    assert_int_not_equal(lost_at, 0);
    assert_int_equal(writer.header->lost[TRACE_LOST_SPACE], 1);
    usleep(150000);                // not tried all the time
    struct trace_session *session; // and goes on when there is room again
    assert_int_equal(trace_new_record(&writer, TRACE_SESSIONS, &session), lost_at);
}

static void test_nothing_is_overwritten(void **state)
{
    (void)state;
    close(open(path, O_CREAT | O_WRONLY, 0600));
    assert_int_equal(trace_create(&writer, path), -EEXIST);
    assert_null(writer.header);
    unlink(path);
    assert_int_equal(symlink("/tmp/unclosed-writer-nowhere", path), 0);
    assert_int_equal(trace_create(&writer, path), -EEXIST);
    assert_int_equal(access("/tmp/unclosed-writer-nowhere", F_OK), -1);
    assert_int_equal(trace_create(&writer, "/nonexistent/folder/x"), -ENOENT);
}

// Another file has taken the name: it is not written to.
static void test_name_was_taken(void **state)
{
    struct stat status;
    struct trace_session *session;
    (void)state;
    assert_int_equal(trace_create(&writer, path), 0);
    unlink(path);
    close(open(path, O_CREAT | O_WRONLY, 0600));
    while (trace_new_record(&writer, TRACE_SESSIONS, &session) != TRACE_NONE)
        ;
    assert_int_equal(stat(path, &status), 0);
    assert_int_equal(status.st_size, 0);
    assert_true(writer.header->lost[TRACE_LOST_SPACE] > 0);
}

// The program has closed the descriptor that was kept, and the number is another file's now.
static void test_descriptor_was_reused(void **state)
{
    struct stat status;
    struct trace_session *session;
    char other[80];
    (void)state;
    snprintf(other, sizeof other, "%s.other", path);
    int fd = open(path, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    assert_int_equal(trace_create_open(&writer, fd, path), 0);
    int victim = open(other, O_CREAT | O_RDWR, 0600);
    assert_int_equal(dup2(victim, fd), fd);
    while (trace_new_record(&writer, TRACE_SESSIONS, &session) != TRACE_NONE)
        ;
    assert_int_equal(stat(other, &status), 0);
    assert_int_equal(status.st_size, 0);
    trace_retire(&writer, false);
    assert_int_equal(fcntl(fd, F_GETFD), 0); // still open: it is not ours to close
    close(victim);
    close(fd);
    unlink(other);
}

static void test_in_memory(void **state)
{
    (void)state;
    assert_int_equal(trace_create(&writer, NULL), 0);
    for (int i = 0; i < 20000; i++)
        assert_int_not_equal(append("a string in memory"), TRACE_NONE);
    assert_true(writer.space[TRACE_STRINGS].chunks > 1);
}

// Threads that are still writing after a detach find memory there.
static void test_retired(void **state)
{
    struct trace_session *session;
    (void)state;
    assert_int_equal(trace_create(&writer, path), 0);
    trace_new_record(&writer, TRACE_SESSIONS, &session);
    session->handle = 1;
    trace_retire(&writer, false);
    assert_null(writer.header);
    session->handle = 2; // not a crash, and not in the file
    struct trace_header header;
    int fd = open(path, O_RDONLY);
    assert_int_equal(read(fd, &header, sizeof header), sizeof header);
    assert_memory_equal(header.magic, TRACE_MAGIC, sizeof header.magic);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_strings_survive_growing, begin, end),
        cmocka_unit_test_setup_teardown(test_records_survive_growing, begin, end),
        cmocka_unit_test_setup_teardown(test_blocks_are_reserved, begin, end),
        cmocka_unit_test_setup_teardown(test_no_descriptor_is_kept, begin, end),
        cmocka_unit_test_setup_teardown(test_file_size_limit, begin, end),
        cmocka_unit_test_setup_teardown(test_nothing_is_overwritten, begin, end),
        cmocka_unit_test_setup_teardown(test_name_was_taken, begin, end),
        cmocka_unit_test_setup_teardown(test_descriptor_was_reused, begin, end),
        cmocka_unit_test_setup_teardown(test_in_memory, begin, end),
        cmocka_unit_test_setup_teardown(test_retired, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
