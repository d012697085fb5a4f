// The report of a made-up service, as text and as JSON: the text as it is printed, compared with
// files in golden/, the JSON with the keys that are promised.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <unistd.h>

#include "report_fixture.h"

static uint32_t add_service_pool(struct trace_builder *b)
{
    uint32_t ref;
    struct trace_pool *pool = builder_pool(b, "sqlalchemy", "sqlite:///app.db", 10, 20, &ref);
    pool->detail = builder_string(b, "QueuePool");
    pool->out = 3;
    pool->high_water = 30;
    pool->high_water_ns = BUILDER_START + 1821 * BUILDER_SECOND / 10;
    pool->acquires = 904;
    pool->waits = 41;
    pool->longest_wait_ns = 10 * BUILDER_SECOND;
    pool->failed = 4;
    pool->timeouts = 4;
    return ref;
}

static const struct builder_frame service_job[] = {{"/srv/trader/jobs.py", 30, "nightly"}, {0}};

// The sites that take from the pool: one that never closes, one that sometimes does not, a good
// one.
static void add_service_sites(struct trace_builder *b, uint32_t pool, uint32_t sites[3])
{
    const struct builder_frame settings[] = {
        {"/srv/trader/ui/pages/settings.py", 214, "SettingsTab.render"},
        {"/srv/trader/ui/app.py", 88, "App.refresh"},
        {"/usr/lib/python3.11/threading.py", 975, "Thread.run"},
        {0}};
    const struct builder_frame overview[] = {
        {"/srv/trader/ui/pages/overview.py", 159, "Overview.load"}, {0}};
    sites[0] = add_site(b, settings, 0, 13);
    sites[1] = add_site(b, overview, 28, 11);
    sites[2] = add_site(b, service_job, 849, 0);
    const uint32_t out_at_peak[] = {17, 12, 1};
    for (int i = 0; i < 3; i++) {
        struct trace_site *site = trace_record(&b->writer, TRACE_SITES, sites[i]);
        site->pool = pool;
        site->out_at_peak = out_at_peak[i];
        site->total_hold_ns = site->ended[TRACE_RELEASED] * BUILDER_SECOND / 5;
        site->hold[18] = (uint32_t)site->ended[TRACE_RELEASED];
        site->hold[26] = (uint32_t)site->ended[TRACE_RECLAIMED];
        site->database = builder_string(b, "app.db");
        site->longest_thread = builder_string(b, "web-1");
    }
    for (int i = 0; i < 3; i++) {
        struct trace_session *session = builder_session(b, sites[i == 2], 0.4 + i);
        session->thread = builder_string(b, i == 2 ? "web-1" : "web-3");
        session->database = builder_string(b, "app.db");
        session->owner = pool;
        session->flags = i == 1 ? TRACE_SESSION_TRANSACTION | TRACE_SESSION_ASKED : 0;
    }
}

static void add_service_exhaustion(struct trace_builder *b, uint32_t pool, const uint32_t sites[2])
{
    uint64_t words[5 + 2 * 2] = {0};
    struct trace_exhaustion exhaustion = {.at_ns = BUILDER_START + 170 * BUILDER_SECOND,
                                          .waited_ns = 10 * BUILDER_SECOND,
                                          .pool = pool,
                                          .stack = builder_stack(b, service_job),
                                          .thread = builder_string(b, "web-7"),
                                          .failed = 1,
                                          .waiting = 5,
                                          .holder_count = 2};
    memcpy(words, &exhaustion, sizeof exhaustion);
    for (int i = 0; i < 2; i++) {
        struct trace_holder holder = {.site = sites[i], .acquired_ns = BUILDER_START};
        memcpy(&words[5 + 2 * i], &holder, sizeof holder);
    }
    (void)trace_append_words(&b->writer, TRACE_EXHAUSTIONS, words, 9);
}

// The trace that the golden files show: the example of a service that ran out of connections.
static void write_service(const char *path)
{
    struct trace_builder builder;
    struct trace_builder *b = &builder;
    uint32_t sites[3];
    builder_begin(b, path);
    uint32_t pool = add_service_pool(b);
    add_service_sites(b, pool, sites);
    add_service_exhaustion(b, pool, sites);
    const struct builder_frame plain[] = {{"/srv/trader/backup.py", 12, "copy"}, {0}};
    uint32_t handle_site;
    builder_site(b, TRACE_HANDLE, builder_stack(b, plain), &handle_site);
    struct trace_session *refused = builder_session(b, handle_site, 90);
    refused->flags = TRACE_SESSION_REFUSED;
    refused->detail = builder_string(b, "SELECT * FROM trades WHERE day = ?");
    refused->database = builder_string(b, "/srv/trader/archive.db");
    struct trace_session *idle = builder_session(b, handle_site, 0.2);
    idle->flags = TRACE_SESSION_POOLED;
    idle->owner = pool;
    struct trace_misuse *misuse;
    (void)trace_new_record(&b->writer, TRACE_MISUSES, &misuse);
    misuse->kind = TRACE_MISUSE_DOUBLE;
    misuse->stack = builder_stack(b, plain);
    misuse->count = 2;
    misuse->handle = 0x5555;
    misuse->site = handle_site;
    b->writer.header->lost[TRACE_LOST_SPACE] = 3;
    builder_end(b);
}

// Compares with golden/NAME. With UNCLOSED_GOLDEN=write in the environment the file is written
// instead, to be looked at and committed.
static void expect_golden(const char *name, const char *text)
{
    char path[512];
    snprintf(path, sizeof path, "%s/golden/%s", TEST_SOURCES, name);
    if (getenv("UNCLOSED_GOLDEN")) {
        write_text(path, text);
        return;
    }
    FILE *file = fopen(path, "re");
    assert_non_null(file);
    char expected[16384];
    expected[fread(expected, 1, sizeof expected - 1, file)] = 0;
    fclose(file);
    assert_string_equal(text, expected);
}

static void the_text_is_as_it_was(void **state)
{
    struct fixture *fixture = *state;
    write_service(fixture->path);
    const char *const sources[] = {fixture->path};
    setenv("TZ", "UTC", 1);
    struct report_request request = {.sources = sources, .source_count = 1, .render.limit = 10};
    char *text = printed(&request, NULL, report_print);
    expect_golden("service.txt", text);
    free(text);
    request.render.all_frames = true;
    text = printed(&request, NULL, report_print);
    expect_golden("service-frames.txt", text);
    free(text);
    request.render.all_frames = false;
    const char *const groups[] = {"file", "thread", "pool", "test"};
    for (size_t i = 0; i < 4; i++) {
        request.render.group_by = (enum group_by)group_by_name(groups[i]);
        char name[64];
        snprintf(name, sizeof name, "service-by-%s.txt", groups[i]);
        text = printed(&request, NULL, report_print);
        expect_golden(name, text);
        free(text);
    }
    request.render.limit = 0;
    text = printed(&request, NULL, report_print_held);
    expect_golden("service-held.txt", text);
    free(text);
}

// The same comparison sees a fault: a report of a trace with one session more is not the same.
static void a_planted_fault_is_seen(void **state)
{
    struct fixture *fixture = *state;
    write_service(fixture->path);
    const char *const sources[] = {fixture->path};
    struct report_request request = {.sources = sources, .source_count = 1, .render.limit = 10};
    char *good = printed(&request, NULL, report_print);
    unlink(fixture->path);
    write_service(fixture->path);
    FILE *file = fopen(fixture->path, "r+be");
    struct trace_chunk chunk;
    long offset = TRACE_HEADER_BYTES;
    for (;;) {
        assert_int_equal(fseek(file, offset, SEEK_SET), 0);
        assert_int_equal(fread(&chunk, sizeof chunk, 1, file), 1);
        if (chunk.type == TRACE_SITES)
            break;
        offset += (long)chunk.bytes;
    }
    uint64_t reclaimed = 14; // was 13
    long at = offset + (long)sizeof chunk + (long)offsetof(struct trace_site, ended) + 8;
    assert_int_equal(fseek(file, at, SEEK_SET), 0);
    assert_int_equal(fwrite(&reclaimed, sizeof reclaimed, 1, file), 1);
    fclose(file);
    char *bad = printed(&request, NULL, report_print);
    assert_string_not_equal(good, bad);
    assert_non_null(strstr(good, "15 of 15 never closed"));
    assert_non_null(strstr(bad, "16 of 16 never closed"));
    free(good);
    free(bad);
}

static void json_has_the_promised_keys(void **state)
{
    struct fixture *fixture = *state;
    write_service(fixture->path);
    json_t *root = json_of_file(fixture->path);
    json_error_t error;
    // o: object, s: string, i: integer, f: number
    const char *process, *ended, *kind, *id, *holder;
    json_int_t count, lost, opened;
    double seconds, longest, at;
    if (json_unpack_ex(root, &error, 0,
                       "{s:i, s:[{s:I, s:s, s:s, s:s, s:f, s:s, s:I}], s:{s:{s:I, s:I, s:I, s:I, "
                       "s:I, s:I, s:I, s:I}, s:{s:I}, s:{s:I}, s:{s:I}}}",
                       "schema", &(int){0}, "processes", "pid", &count, "exe", &process, "command",
                       &process, "started", &process, "seconds", &seconds, "ended", &ended, "lost",
                       &lost, "totals", "handle", "opened", &opened, "released", &count,
                       "never_closed", &count, "live", &count, "reclaimed", &count, "refused",
                       &count, "zombie", &count, "suppressed", &count, "checkout", "opened", &count,
                       "session", "opened", &count, "statement", "opened", &count) != 0)
        fail_msg("%s", error.text);
    assert_string_equal(ended, "exit 0");
    assert_true(seconds > 182.29 && seconds < 182.31);
    assert_int_equal(lost, 3);
    assert_int_equal(opened, 2);
    if (json_unpack_ex(root, &error, 0,
                       "{s:[{s:s, s:s, s:I, s:I, s:I, s:{s:I, s:f, s:[{s:s, s:I}]}, s:I, "
                       "s:{s:I, s:f}, s:I}]}",
                       "pools", "kind", &kind, "name", &process, "size", &count, "overflow", &count,
                       "out", &count, "high_water", "count", &count, "at", &at, "holders", "site",
                       &holder, "count", &count, "acquires", &count, "waits", "count", &count,
                       "longest", &longest, "failed", &count) != 0)
        fail_msg("%s", error.text);
    assert_int_equal(strlen(holder), 10);
    if (json_unpack_ex(root, &error, 0,
                       "{s:[{s:s, s:s, s:s, s:I, s:s, s:I, s:I, s:I, s:I, s:I, s:I, s:f, s:[s], "
                       "s:[], s:s, s:[{s:s, s:s, s:I, s:s}]}], s:[{}], s:[]}",
                       "sites", "id", &id, "kind", &kind, "file", &process, "line", &count,
                       "function", &process, "opened", &count, "never_closed", &count, "live",
                       &count, "reclaimed", &count, "refused", &count, "zombie", &count, "longest",
                       &longest, "threads", &process, "tests", "database", &process, "frames",
                       "function", &process, "file", &process, "line", &count, "language", &process,
                       "misuse", "unseen") != 0)
        fail_msg("%s", error.text);
    assert_string_equal(id, holder); // the site that held most is also the worst
    json_decref(root);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(the_text_is_as_it_was),
        TEST(a_planted_fault_is_seen),
        TEST(json_has_the_promised_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
