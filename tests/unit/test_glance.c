// The light look at a trace: as the reader sees it, while it grows, and when it is damaged.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "trace/trace_glance.h"
#include "trace/trace_reader.h"
#include "trace_builder.h"

static char folder[64];
static char path[96];

static int set_up(void **state)
{
    (void)state;
    strcpy(folder, "/tmp/unclosed-test-XXXXXX");
    assert_non_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/a.trace", folder);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    unlink(path);
    rmdir(folder);
    return 0;
}

static void add_site(struct trace_builder *builder, uint64_t late, uint32_t flags)
{
    struct trace_site *site = builder_site(builder, TRACE_HANDLE, TRACE_NONE, NULL);
    site->late = late;
    site->ended[TRACE_RECLAIMED] = 2 * late;
    site->flags = flags;
}

static void it_sees_what_the_reader_sees(void **state)
{
    enum { SESSIONS = 3000, SITES = 300 }; // several chunks of each
    (void)state;
    struct trace_builder builder;
    struct trace_glance glance;
    struct trace_reader *reader;
    builder_begin(&builder, path);
    assert_int_equal(glance_open(&glance, path), 0);
    for (uint32_t i = 0; i < SITES; i++)
        add_site(&builder, i, i % 100 == 50 ? TRACE_SITE_WRAPPER : 0);
    for (uint32_t i = 0; i < SESSIONS; i++) {
        builder_session(&builder, 1 + i % SITES, i);
        if (i % 500 == 0) { // it grows while it is looked at
            assert_int_equal(glance_take(&glance), 0);
            assert_int_equal(glance.session_count, i + 1);
        }
    }
    assert_int_equal(glance_take(&glance), 0);
    assert_int_equal(reader_open(path, 0, &reader), 0);
    assert_int_equal(glance.session_count, SESSIONS);
    for (uint32_t ref = 1; ref <= SESSIONS; ref++)
        assert_memory_equal(&glance.sessions[ref - 1], reader_session(reader, ref),
                            sizeof(struct trace_session));
    assert_int_equal(glance.site_count, SITES);
    for (uint32_t i = 0; i < SITES; i++) {
        bool hidden = i % 100 == 50;
        assert_int_equal(glance.sites[i].late, hidden ? 0 : i);
        assert_int_equal(glance.sites[i].reclaimed, hidden ? 0 : 2 * i);
    }
    reader_close(reader);
    builder_end(&builder);
    glance_close(&glance);
}

static void what_changes_meanwhile_is_noticed(void **state)
{
    (void)state;
    struct trace_builder builder;
    struct trace_glance glance;
    builder_begin(&builder, path);
    add_site(&builder, 0, 0);
    struct trace_session *session = builder_session(&builder, 1, 1);
    assert_int_equal(glance_open(&glance, path), 0);
    assert_int_equal(glance_take(&glance), 0);
    assert_true(glance_is_still(&glance, 1));
    session->generation++;
    assert_false(glance_is_still(&glance, 1));
    assert_int_equal(glance_take(&glance), 0);
    assert_true(glance_is_still(&glance, 1));
    session->state = TRACE_SLOT_RELEASING;
    assert_false(glance_is_still(&glance, 1));
    glance_tell(&glance, 4711);
    assert_int_equal(builder.writer.header->watched_ns, 4711);
    builder_end(&builder);
    glance_close(&glance);
}

static void what_is_no_trace_is_refused(void **state)
{
    (void)state;
    struct trace_glance glance;
    assert_int_equal(glance_open(&glance, path), -ENOENT);
    assert_int_equal(glance_open(&glance, "/dev/null"), -EBADMSG);
    assert_int_equal(glance_open(&glance, folder), -EISDIR);
    FILE *file = fopen(path, "we");
    assert_true(fputs("no trace", file) > 0);
    fclose(file);
    assert_int_equal(glance_open(&glance, path), -EBADMSG);
}

// Whatever the file says: looking ends, and touches nothing outside (run under a sanitizer, too).
static void damage_is_survived(void **state)
{
    (void)state;
    struct trace_builder builder;
    builder_begin(&builder, path);
    for (uint32_t i = 0; i < 100; i++)
        add_site(&builder, i, 0);
    for (uint32_t i = 0; i < 2000; i++)
        builder_session(&builder, 1 + i % 100, i);
    builder_end(&builder);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    struct stat status;
    assert_int_equal(fstat(fd, &status), 0);
    size_t size = (size_t)status.st_size;
    unsigned char *good = malloc(size);
    assert_int_equal(pread(fd, good, size, 0), (ssize_t)size);
    srand(4711);
    unsigned refused = 0;
    for (int round = 0; round < 2000; round++) {
        // Mostly where it hurts: the header, and the heads of chunks.
        for (int i = 0; i < 4; i++) {
            uint32_t value = rand() % 2 ? (uint32_t)rand() : (uint32_t)rand() % 300;
            long page = rand() % 2 ? rand() % (long)(size / 4096) : 0;
            assert_int_equal(pwrite(fd, &value, 4, page * 4096 + rand() % 17 * 4), 4);
        }
        if (round % 10 == 0)
            assert_int_equal(ftruncate(fd, rand() % (long)size), 0);
        struct trace_glance glance;
        if (glance_open(&glance, path) == 0) {
            for (int look = 0; look < 2; look++)
                refused += glance_take(&glance) < 0;
            for (uint32_t ref = 1; ref <= glance.session_count; ref += 97)
                (void)glance_is_still(&glance, ref);
            glance_close(&glance);
        }
        assert_int_equal(pwrite(fd, good, size, 0), (ssize_t)size);
    }
    assert_true(refused > 100);
    free(good);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(it_sees_what_the_reader_sees, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_changes_meanwhile_is_noticed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(what_is_no_trace_is_refused, set_up, tear_down),
        cmocka_unit_test_setup_teardown(damage_is_survived, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
