// The trace reader on good, growing, damaged and foreign files.
//
// "Damaged" is tried in two ways: every kind of fault that has a message, one by one, and thousands
// of pseudo-random ones, where all that is asked is that reading ends and touches nothing outside.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "trace/trace_reader.h"
#include "trace_builder.h"
#include "trace_walk.h"

struct fixture {
    char folder[64];
    char path[96];
};

static int set_up(void **state)
{
    static struct fixture fixture;
    strcpy(fixture.folder, "/tmp/unclosed-test-XXXXXX");
    assert_non_null(mkdtemp(fixture.folder));
    snprintf(fixture.path, sizeof fixture.path, "%s/a.trace", fixture.folder);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    unlink(fixture->path);
    rmdir(fixture->folder);
    return 0;
}

enum { SITES = 3, SESSIONS = 2000 };

// A trace with something of everything; more than fits the first chunks.
static void write_sample(const char *path)
{
    struct trace_builder builder;
    builder_begin(&builder, path);
    uint32_t pool_ref;
    builder_pool(&builder, "libzdb", "sqlite://a.db", 5, TRACE_UNKNOWN, &pool_ref)->out = 2;
    uint32_t sites[SITES];
    struct trace_function *function;
    uint32_t function_ref = trace_new_record(&builder.writer, TRACE_FUNCTIONS, &function);
    function->name = builder_string(&builder, "ConnectionPool_getConnection");
    function->kind = builder_string(&builder, "libzdb");
    for (uint32_t i = 0; i < SITES; i++) {
        const struct builder_frame frames[] = {
            {"/srv/trader/app.py", 10 + i, "load"}, {"/srv/trader/main.py", 1, "main"}, {0}};
        struct trace_site *site =
            builder_site(&builder, TRACE_CHECKOUT, builder_stack(&builder, frames), &sites[i]);
        site->pool = pool_ref;
        site->function = function_ref;
        site->ended[TRACE_RELEASED] = UINT64_C(10) * i;
    }
    uint32_t thread = builder_string(&builder, "web-3");
    for (uint32_t i = 0; i < SESSIONS; i++) {
        struct trace_session *session = builder_session(&builder, sites[i % SITES], i * 0.01);
        session->thread = thread;
        session->owner = pool_ref;
    }
    struct trace_module *module;
    (void)trace_new_record(&builder.writer, TRACE_MODULES, &module);
    module->path = builder_string(&builder, "/bin/true");
    module->start = 0x400000;
    module->end = 0x500000;
    struct trace_misuse *misuse;
    (void)trace_new_record(&builder.writer, TRACE_MISUSES, &misuse);
    misuse->kind = TRACE_MISUSE_DOUBLE;
    misuse->site = sites[0];
    misuse->count = 1;
    uint64_t words[5 + 2 * 2] = {0};
    struct trace_exhaustion exhaustion = {.at_ns = BUILDER_START + BUILDER_SECOND,
                                          .pool = pool_ref,
                                          .thread = thread,
                                          .holder_count = 2};
    memcpy(words, &exhaustion, sizeof exhaustion);
    struct trace_holder holder = {.site = sites[1], .thread = thread};
    memcpy(words + 5, &holder, sizeof holder);
    memcpy(words + 7, &holder, sizeof holder);
    for (int i = 0; i < 3; i++)
        assert_int_not_equal(trace_append_words(&builder.writer, TRACE_EXHAUSTIONS, words, 9), 0);
    builder_end(&builder);
}

static size_t count_records(const struct trace_reader *reader, enum trace_chunk_type type)
{
    size_t count = 0;
    for (uint32_t ref = 0; (ref = reader_next(reader, type, ref)) != TRACE_NONE;)
        count++;
    return count;
}

static void reads_what_the_writer_wrote(void **state)
{
    struct fixture *fixture = *state;
    write_sample(fixture->path);
    struct trace_reader *reader;
    assert_int_equal(reader_open(fixture->path, 0, &reader), 0);
    assert_int_equal(reader->problem_count, 0);
    assert_int_equal(reader->state, READER_EXITED);
    assert_int_equal(reader->header.pid, 4711);
    assert_int_equal(count_records(reader, TRACE_SITES), SITES);
    assert_int_equal(count_records(reader, TRACE_SESSIONS), SESSIONS);
    assert_int_equal(count_records(reader, TRACE_MODULES), 1);
    assert_int_equal(count_records(reader, TRACE_EXHAUSTIONS), 3);
    uint32_t ref = reader_next(reader, TRACE_SITES, TRACE_NONE);
    ref = reader_next(reader, TRACE_SITES, ref);
    const struct trace_site *site = reader_site(reader, ref);
    assert_int_equal(site->ended[TRACE_RELEASED], 10);
    const struct trace_stack *stack = reader_stack(reader, site->stack);
    assert_int_equal(stack->frame_count, 2);
    const struct trace_location *location = reader_location(reader, (uint32_t)stack->frames[0]);
    assert_string_equal(reader_string(reader, location->file), "/srv/trader/app.py");
    assert_int_equal(location->line, 11);
    assert_string_equal(reader_string(reader, reader_pool(reader, site->pool)->name),
                        "sqlite://a.db");
    const struct trace_exhaustion *exhaustion =
        reader_exhaustion(reader, reader_next(reader, TRACE_EXHAUSTIONS, TRACE_NONE));
    assert_int_equal(exhaustion->holder_count, 2);
    assert_ptr_equal(reader_site(reader, exhaustion->holders[1].site), site);
    reader_close(reader);
}

static void references_to_nothing_are_nothing(void **state)
{
    struct fixture *fixture = *state;
    write_sample(fixture->path);
    struct trace_reader *reader;
    assert_int_equal(reader_open(fixture->path, 0, &reader), 0);
    assert_null(reader_record(reader, TRACE_SITES, TRACE_NONE));
    assert_null(reader_record(reader, TRACE_SITES, SITES + 1));
    assert_null(reader_record(reader, TRACE_SITES, UINT32_MAX));
    assert_null(reader_stack(reader, 0));
    assert_null(reader_stack(reader, UINT32_MAX));
    assert_string_equal(reader_string(reader, TRACE_NONE), "");
    assert_string_equal(reader_string(reader, 5), "");
    assert_string_equal(reader_string(reader, UINT32_MAX), "");
    reader_close(reader);
}

// The file as bytes that a test may spoil.
struct image {
    unsigned char *bytes;
    size_t size;
};

static struct image load(const char *path)
{
    struct image image;
    int fd = open(path, O_RDONLY);
    struct stat status;
    assert_int_equal(fstat(fd, &status), 0);
    image.size = (size_t)status.st_size;
    image.bytes = malloc(image.size);
    assert_int_equal(read(fd, image.bytes, image.size), (ssize_t)image.size);
    close(fd);
    return image;
}

static int store(const unsigned char *bytes, size_t size)
{
    int fd = memfd_create("spoiled", MFD_CLOEXEC);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), (ssize_t)size);
    return fd;
}

// Offset of the first chunk of `type` in the image.
static size_t chunk_offset(const struct image *image, enum trace_chunk_type type)
{
    for (size_t at = TRACE_HEADER_BYTES; at < image->size;) {
        struct trace_chunk chunk;
        memcpy(&chunk, image->bytes + at, sizeof chunk);
        if (chunk.type == type)
            return at;
        at += chunk.bytes;
    }
    fail_msg("no chunk of type %d", type);
    return 0;
}

static void put32(struct image *image, size_t offset, uint32_t value)
{
    assert_true(offset + sizeof value <= image->size);
    memcpy(image->bytes + offset, &value, sizeof value);
}

// Opens the spoiled image; *message: the first problem, to be freed.
static int open_image(const struct image *image, struct trace_reader **reader, char **message)
{
    int result = reader_open_fd(store(image->bytes, image->size), "spoiled.trace", 0, reader);
    assert_non_null(*reader);
    *message = strdup((*reader)->problem_count ? (*reader)->problems[0] : "");
    return result;
}

struct fault {
    const char *what;
    size_t header_offset; // in the file, if `type` is 0, else in the chunk
    enum trace_chunk_type type;
    uint32_t value;
    int result;
    const char *message; // part of what the reader says
};

static void names_each_fault(void **state)
{
    struct fixture *fixture = *state;
    write_sample(fixture->path);
    const size_t record = sizeof(struct trace_chunk);
    const struct fault faults[] = {
        {"magic", 0, 0, 0x41414141, -EBADMSG, "not a trace"},
        {"version", offsetof(struct trace_header, version), 0, 77, -EPROTO, "version 77"},
        {"byte order", offsetof(struct trace_header, byte_order), 0, 0x04030201, -EPROTO,
         "byte order"},
        {"length", offsetof(struct trace_header, file_bytes), 0, 0x7fffffff, 0, "the file ends at"},
        {"chunk magic", 0, TRACE_SITES, 0, 0, "no chunk begins at"},
        {"chunk length", offsetof(struct trace_chunk, bytes), TRACE_SITES, 17, 0,
         "no chunk begins at"},
        {"record size", offsetof(struct trace_chunk, type), TRACE_SITES, TRACE_SITES | 24 << 16, 0,
         "records of an unexpected size"},
        {"capacity", offsetof(struct trace_chunk, capacity), TRACE_SITES, 0x10000000, 0,
         "more records than it has room for"},
        {"first", offsetof(struct trace_chunk, first), TRACE_SITES, 0, 0, "out of range"},
        {"first too high", offsetof(struct trace_chunk, first), TRACE_SITES, UINT32_MAX - 3, 0,
         "out of range"},
        {"count", offsetof(struct trace_chunk, count), TRACE_SITES, 1 << 20, 0, "in room for"},
        {"stack", record + offsetof(struct trace_site, stack), TRACE_SITES, 0x123456, 0,
         "1 references in trace_site.stack"},
        {"pool", record + offsetof(struct trace_site, pool), TRACE_SITES, 99, 0,
         "1 references in trace_site.pool"},
        {"site", record + offsetof(struct trace_session, site), TRACE_SESSIONS, 99, 0,
         "1 references in trace_session.site"},
        {"string", record + offsetof(struct trace_session, thread), TRACE_SESSIONS, 6, 0,
         "1 references in trace_session.thread"},
        {"string length", record, TRACE_STRINGS, 0x7fffffff, 0, "references in"},
        {"frame count", record + 8, TRACE_STACKS, 0x7fffffff, 0, "trace_site.stack"},
        {"holder", record + 40, TRACE_EXHAUSTIONS, 99, 0, "1 references in trace_exhaustion"},
        {"holder count", record + 36, TRACE_EXHAUSTIONS, 0x40000000, 0,
         "record of pool exhaustion"},
        {"kind", record + offsetof(struct trace_site, kind), TRACE_SITES, 200, 0,
         "impossible values"},
        {"bucket", record + offsetof(struct trace_site, growth.reached), TRACE_SITES,
         TRACE_GROWTH_BUCKETS, 0, "impossible values"},
        {"width", record + offsetof(struct trace_site, growth.width), TRACE_SITES, 3, 0,
         "impossible values"},
        {"state", record, TRACE_SESSIONS, 9, 0, "impossible values"},
    };
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++) {
        const struct fault *fault = &faults[i];
        struct image image = load(fixture->path);
        size_t base = fault->type ? chunk_offset(&image, fault->type) : 0;
        put32(&image, base + fault->header_offset, fault->value);
        struct trace_reader *reader;
        char *message;
        int result = open_image(&image, &reader, &message);
        if (result != fault->result || !strstr(message, fault->message))
            fail_msg("%s: result %d, message \"%s\"", fault->what, result, message);
        assert_non_null(strstr(message, "spoiled.trace: ")); // names the file
        walk_trace(reader);
        if (result == 0 && fault->type != TRACE_SESSIONS) // what is whole is still there
            assert_int_equal(count_records(reader, TRACE_SESSIONS), SESSIONS);
        reader_close(reader);
        free(message);
        free(image.bytes);
    }
}

static void cut_anywhere_gives_the_rest(void **state)
{
    struct fixture *fixture = *state;
    write_sample(fixture->path);
    struct image image = load(fixture->path);
    size_t most = 0;
    for (size_t size = 0; size < image.size; size += 1021) {
        struct image cut = {image.bytes, size};
        struct trace_reader *reader;
        char *message;
        int result = open_image(&cut, &reader, &message);
        assert_true(message[0] != 0);
        assert_int_equal(result, size < TRACE_HEADER_BYTES ? -EBADMSG : 0);
        walk_trace(reader);
        size_t sessions = count_records(reader, TRACE_SESSIONS);
        assert_true(sessions >= most); // a longer rest never tells less
        most = sessions;
        reader_close(reader);
        free(message);
    }
    assert_true(most > SESSIONS / 2);
    free(image.bytes);
}

static void random_damage_is_survived(void **state)
{
    struct fixture *fixture = *state;
    write_sample(fixture->path);
    struct image image = load(fixture->path);
    struct image spoiled = {malloc(image.size), image.size};
    uint64_t seed = 88172645463325252u;
    size_t complained = 0;
    for (int round = 0; round < 400; round++) {
        memcpy(spoiled.bytes, image.bytes, image.size);
        for (int i = 0; i <= round % 16; i++) {
            seed ^= seed << 13; // xorshift
            seed ^= seed >> 7;
            seed ^= seed << 17;
            size_t at = (size_t)(seed >> 8) % (image.size / 4) * 4;
            put32(&spoiled, at, (seed & 3) ? (uint32_t)(seed >> 32) : (uint32_t)seed % 300);
        }
        struct trace_reader *reader;
        char *message;
        (void)open_image(&spoiled, &reader, &message);
        walk_trace(reader);
        complained += message[0] != 0;
        reader_close(reader);
        free(message);
    }
    assert_true(complained > 100); // the damage was seen, not overlooked
    free(spoiled.bytes);
    free(image.bytes);
}

static void foreign_files_are_refused(void **state)
{
    struct fixture *fixture = *state;
    struct trace_reader *reader;
    assert_int_equal(reader_open(fixture->path, 0, &reader), -ENOENT);
    assert_non_null(strstr(reader->problems[0], "cannot be opened"));
    reader_close(reader);
    assert_int_equal(reader_open(fixture->folder, 0, &reader), -EISDIR);
    reader_close(reader);
    assert_int_equal(reader_open("/dev/null", 0, &reader), -EBADMSG);
    reader_close(reader);
    assert_int_equal(reader_open("/proc/self/exe", 0, &reader), -EBADMSG);
    assert_non_null(strstr(reader->problems[0], "not a trace"));
    reader_close(reader);
    assert_int_equal(mkfifo(fixture->path, 0600), 0); // does not wait for a writer
    assert_int_equal(reader_open(fixture->path, 0, &reader), -EBADMSG);
    reader_close(reader);
}

// Field 22 of /proc/PID/stat, found here in another way than in the reader.
static uint64_t start_ticks_of(pid_t pid)
{
    char text[1024];
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    fclose(file);
    unsigned long long ticks = 0;
    char *at = strchr(text, ')');
    for (int spaces = 0; spaces < 20; spaces++)
        at = strchr(at + 1, ' ');
    ticks = strtoull(at, NULL, 10);
    assert_true(ticks > 0);
    return ticks;
}

static void tells_whether_the_process_runs(void **state)
{
    struct fixture *fixture = *state;
    struct trace_builder builder;
    struct trace_reader *reader;
    builder_begin(&builder, fixture->path);
    builder.writer.header->pid = (uint32_t)getpid();
    builder.writer.header->ended = TRACE_ENDED_UNKNOWN;
    builder.writer.header->end_ns = 0;
    builder.writer.header->process_start_ticks = start_ticks_of(getpid());
    assert_int_equal(reader_open(fixture->path, 0, &reader), 0);
    assert_int_equal(reader->state, READER_RUNNING);
    assert_int_equal(reader->pid, getpid());
    reader_close(reader);

    builder.writer.header->process_start_ticks++; // another process had our pid
    assert_int_equal(reader_open(fixture->path, 0, &reader), 0);
    assert_int_equal(reader->state, READER_GONE);
    reader_close(reader);
    builder.writer.header->process_start_ticks--;

    builder.writer.header->flags = TRACE_FLAG_DETACHED;
    assert_int_equal(reader_open(fixture->path, 0, &reader), 0);
    assert_int_equal(reader->state, READER_DETACHED);
    reader_close(reader);
    builder.writer.header->flags = 0;

    builder_end(&builder); // not mapped any more, as after exec
    assert_int_equal(reader_open(fixture->path, 0, &reader), 0);
    assert_int_equal(reader->state, READER_EXEC);
    reader_close(reader);
}

static void a_zombie_does_not_run(void **state)
{
    struct fixture *fixture = *state;
    pid_t child = fork();
    if (child == 0)
        _exit(0);
    siginfo_t info;
    assert_int_equal(waitid(P_PID, (id_t)child, &info, WEXITED | WNOWAIT), 0);
    struct trace_builder builder;
    builder_begin(&builder, fixture->path);
    builder.writer.header->pid = (uint32_t)child;
    builder.writer.header->ended = TRACE_ENDED_UNKNOWN;
    builder.writer.header->process_start_ticks = start_ticks_of(child);
    struct trace_reader *reader;
    assert_int_equal(reader_open(fixture->path, 0, &reader), 0);
    assert_int_equal(reader->state, READER_GONE);
    reader_close(reader);
    builder_end(&builder);
    waitpid(child, NULL, 0);
}

static void begin_as_running(struct trace_builder *builder, const char *path)
{
    builder_begin(builder, path);
    struct trace_header *header = builder->writer.header;
    header->pid = (uint32_t)getpid();
    header->process_start_ticks = start_ticks_of(getpid());
    prctl(PR_SET_PDEATHSIG, SIGKILL); // nor does it outlive a test that fails
    header->ended = TRACE_ENDED_UNKNOWN;
}

// Writes sessions, sites and strings as fast as it can until it is killed; the parent reads.
static void write_for_ever(const char *path)
{
    struct trace_builder builder;
    begin_as_running(&builder, path);
    for (uint32_t i = 1; i < 20000; i++) {
        char name[32];
        snprintf(name, sizeof name, "thread %u", i);
        const struct builder_frame frames[] = {{name, i, "f"}, {0}};
        uint32_t site;
        builder_site(&builder, TRACE_HANDLE, builder_stack(&builder, frames), &site);
        struct trace_session *session = builder_session(&builder, site, 1);
        session->thread = builder_string(&builder, name);
    }
    pause();
}

static void a_growing_trace_is_read_whole(void **state)
{
    struct fixture *fixture = *state;
    pid_t child = fork();
    if (child == 0) {
        write_for_ever(fixture->path);
        _exit(1);
    }
    size_t most = 0;
    for (int round = 0; round < 60 || (most < 1000 && round < 6000); round++) {
        struct trace_reader *reader;
        if (reader_open(fixture->path, 0, &reader) == 0 && reader->state == READER_RUNNING) {
            if (reader->problem_count > 0)
                fail_msg("%s", reader->problems[0]);
            size_t sessions = count_records(reader, TRACE_SESSIONS);
            most = sessions > most ? sessions : most;
        }
        reader_close(reader);
        usleep(5000);
    }
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_true(most >= 1000);
}

enum { HAMMERED = 64 };

// Ends and begins sessions in the same slots all the time, as the recorder does.
static void reuse_for_ever(const char *path)
{
    struct trace_builder builder;
    struct trace_session *slots[HAMMERED];
    begin_as_running(&builder, path);
    for (int i = 0; i < HAMMERED; i++)
        slots[i] = builder_session(&builder, TRACE_NONE, 1);
    for (;;) {
        for (int i = 0; i < HAMMERED; i++) {
            struct trace_session *slot = slots[i];
            __atomic_store_n(&slot->state, TRACE_SLOT_FREE, __ATOMIC_RELEASE);
            slot->generation++;
            slot->handle = slot->generation;
            slot->acquired_ns = slot->generation;
            slot->tid = slot->generation;
            __atomic_store_n(&slot->state, TRACE_SLOT_LIVE, __ATOMIC_RELEASE);
        }
    }
}

static void no_session_is_half_of_two(void **state)
{
    struct fixture *fixture = *state;
    pid_t child = fork();
    if (child == 0)
        reuse_for_ever(fixture->path);
    size_t live = 0;
    // As long as it takes until the child has had its turns.
    for (int round = 0; round < 2000 || (live < 20000 && round < 1000000); round++) {
        struct trace_reader *reader;
        if (reader_open(fixture->path, 0, &reader) == 0 && reader->state == READER_RUNNING) {
            for (uint32_t ref = 0;
                 (ref = reader_next(reader, TRACE_SESSIONS, ref)) != TRACE_NONE;) {
                const struct trace_session *session = reader_session(reader, ref);
                if (session->state != TRACE_SLOT_LIVE || session->generation == 0)
                    continue;
                live++;
                assert_int_equal(session->handle, session->generation);
                assert_int_equal(session->acquired_ns, session->generation);
                assert_int_equal(session->tid, session->generation);
            }
        }
        reader_close(reader);
    }
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
    assert_true(live >= 20000);
}

static void the_module_is_chosen_by_time(void **state)
{
    struct fixture *fixture = *state;
    struct trace_builder builder;
    builder_begin(&builder, fixture->path);
    const struct {
        uint64_t mapped, unmapped;
        const char *path;
    } modules[] = {{10, 20, "first.so"}, {30, 40, "second.so"}, {50, 0, "third.so"}};
    for (size_t i = 0; i < 3; i++) {
        struct trace_module *module;
        (void)trace_new_record(&builder.writer, TRACE_MODULES, &module);
        *module = (struct trace_module){.start = 0x1000,
                                        .end = 0x2000,
                                        .mapped_ns = modules[i].mapped,
                                        .unmapped_ns = modules[i].unmapped,
                                        .path = builder_string(&builder, modules[i].path)};
    }
    builder_end(&builder);
    struct trace_reader *reader;
    assert_int_equal(reader_open(fixture->path, 0, &reader), 0);
    const struct {
        uint64_t seen;
        const char *path;
    } expected[] = {{5, "first.so"},   {15, "first.so"}, {22, "first.so"}, {28, "second.so"},
                    {35, "second.so"}, {49, "third.so"}, {99, "third.so"}};
    for (size_t i = 0; i < sizeof expected / sizeof expected[0]; i++) {
        const struct trace_module *module = reader_module_at(reader, 0x1fff, expected[i].seen);
        assert_string_equal(reader_string(reader, module->path), expected[i].path);
    }
    assert_null(reader_module_at(reader, 0x2000, 15));
    reader_close(reader);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(reads_what_the_writer_wrote),
        TEST(references_to_nothing_are_nothing),
        TEST(names_each_fault),
        TEST(cut_anywhere_gives_the_rest),
        TEST(random_damage_is_survived),
        TEST(foreign_files_are_refused),
        TEST(tells_whether_the_process_runs),
        TEST(a_zombie_does_not_run),
        TEST(a_growing_trace_is_read_whole),
        TEST(no_session_is_half_of_two),
        TEST(the_module_is_chosen_by_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
