// Reports on made-up traces: totals, naming and merging of sites, pools, JSON, and the text as it
// is printed, compared with files in golden/.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <jansson.h>
#include <sys/stat.h>
#include <unistd.h>

#include "report/report.h"
#include "trace_builder.h"

struct fixture {
    char folder[64];
    char path[96], other[96], code[96];
};

static int set_up(void **state)
{
    static struct fixture fixture;
    strcpy(fixture.folder, "/tmp/unclosed-test-XXXXXX");
    assert_non_null(mkdtemp(fixture.folder));
    snprintf(fixture.path, sizeof fixture.path, "%s/a.trace", fixture.folder);
    snprintf(fixture.other, sizeof fixture.other, "%s/b.trace", fixture.folder);
    snprintf(fixture.code, sizeof fixture.code, "%s/app.py", fixture.folder);
    *state = &fixture;
    return 0;
}

static int tear_down(void **state)
{
    struct fixture *fixture = *state;
    unlink(fixture->path);
    unlink(fixture->other);
    unlink(fixture->code);
    rmdir(fixture->folder);
    return 0;
}

static void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

// What is printed for a request, to be freed.
static char *printed(const struct report_request *request, struct report_outcome *outcome,
                     int (*print)(const struct report_request *, FILE *, struct report_outcome *))
{
    char *text = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&text, &bytes);
    assert_int_equal(print(request, out, outcome), 0);
    fclose(out);
    return text;
}

static json_t *json_of(const struct report_request *request, struct report_outcome *outcome)
{
    struct report_request as_json = *request;
    as_json.format = "json";
    char *text = printed(&as_json, outcome, report_print);
    json_error_t error;
    json_t *root = json_loads(text, JSON_REJECT_DUPLICATES, &error);
    if (!root)
        fail_msg("not JSON: %s\n%s", error.text, text);
    free(text);
    return root;
}

static json_t *json_of_file(const char *path)
{
    const char *const sources[] = {path};
    return json_of(&(struct report_request){.sources = sources, .source_count = 1}, NULL);
}

static json_int_t number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_integer(value))
        fail_msg("%s is missing", key);
    return json_integer_value(value);
}

static const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

static const json_t *total(const json_t *root, const char *kind)
{
    return json_object_get(json_object_get(root, "totals"), kind);
}

// The site at file:line, which must be there once.
static const json_t *site_at(const json_t *root, const char *file, json_int_t line)
{
    const json_t *found = NULL;
    size_t index;
    const json_t *site;
    json_array_foreach(json_object_get(root, "sites"), index, site)
    {
        const char *name = text_of(site, "file");
        const char *slash = strrchr(name, '/');
        if (strcmp(slash ? slash + 1 : name, file) != 0 ||
            json_integer_value(json_object_get(site, "line")) != line)
            continue;
        assert_null(found);
        found = site;
    }
    if (!found)
        fail_msg("no site at %s:%d", file, (int)line);
    return found;
}

static const struct builder_frame library_frame = {
    "/usr/lib/python3/dist-packages/sqlalchemy/pool/base.py", 100, "Pool.connect"};

enum { MOST = 8 };

// A site in user code below a library frame; released and reclaimed of its sessions have ended.
static uint32_t add_site(struct trace_builder *builder, const struct builder_frame *frames,
                         uint64_t released, uint64_t reclaimed)
{
    struct builder_frame all[MOST] = {library_frame};
    for (int i = 0; frames[i].file; i++)
        all[i + 1] = frames[i];
    uint32_t ref;
    struct trace_site *site =
        builder_site(builder, TRACE_CHECKOUT, builder_stack(builder, all), &ref);
    site->ended[TRACE_RELEASED] = released;
    site->ended[TRACE_RECLAIMED] = reclaimed;
    site->longest_ns = 5 * BUILDER_SECOND;
    return ref;
}

static void outcomes_add_up(void **state)
{
    struct fixture *fixture = *state;
    struct trace_builder builder;
    builder_begin(&builder, fixture->path);
    const struct builder_frame frames[] = {{"/srv/trader/app.py", 7, "f"}, {0}};
    uint32_t ref;
    struct trace_site *site =
        builder_site(&builder, TRACE_HANDLE, builder_stack(&builder, frames), &ref);
    const uint64_t ended[] = {100, 20, 3, 4, 5}; // released, reclaimed, shutdown, discarded, lost
    memcpy(site->ended, ended, sizeof ended);
    site->failed = 9;
    builder_session(&builder, ref, 1);
    builder_session(&builder, ref, 2)->flags = TRACE_SESSION_REFUSED;
    builder_session(&builder, ref, 3)->flags = TRACE_SESSION_ZOMBIE | TRACE_SESSION_REFUSED;
    builder_session(&builder, ref, 4)->flags = TRACE_SESSION_POOLED;
    builder_session(&builder, ref, 5)->flags = TRACE_SESSION_INHERITED;
    builder_session(&builder, ref, 6)->state = TRACE_SLOT_RELEASING;
    builder_session(&builder, ref, 7)->state = TRACE_SLOT_FREE;
    builder_end(&builder);
    json_t *root = json_of_file(fixture->path);
    const json_t *handle = total(root, "handle");
    assert_int_equal(number(handle, "opened"), 132 + 4);
    assert_int_equal(number(handle, "released"), 100);
    assert_int_equal(number(handle, "reclaimed"), 23);
    assert_int_equal(number(handle, "at_shutdown"), 3);
    assert_int_equal(number(handle, "discarded"), 4);
    assert_int_equal(number(handle, "release_unseen"), 5);
    assert_int_equal(number(handle, "live"), 1);
    assert_int_equal(number(handle, "refused"), 1);
    assert_int_equal(number(handle, "zombie"), 1);
    assert_int_equal(number(handle, "pooled"), 1);
    assert_int_equal(number(handle, "inherited"), 1);
    assert_int_equal(number(handle, "failed"), 9);
    assert_int_equal(number(handle, "never_closed"), 1 + 23 + 1 + 1);
    assert_int_equal(number(handle, "suppressed"), 0);
    assert_int_equal(number(handle, "opened"),
                     number(handle, "released") + number(handle, "discarded") +
                         number(handle, "release_unseen") + number(handle, "never_closed") +
                         number(handle, "pooled"));
    assert_int_equal(number(total(root, "checkout"), "opened"), 0);
    json_decref(root);
}

// A handle that another kind of handle stands for is neither counted nor listed.
static void inner_handles_are_not_listed(void **state)
{
    struct fixture *fixture = *state;
    struct trace_builder builder;
    builder_begin(&builder, fixture->path);
    const struct builder_frame frames[] = {{"/srv/trader/app.py", 7, "f"}, {0}};
    uint32_t ref;
    struct trace_site *site =
        builder_site(&builder, TRACE_HANDLE, builder_stack(&builder, frames), &ref);
    site->flags = TRACE_SITE_WRAPPER;
    site->ended[TRACE_RELEASED] = 3;
    builder_session(&builder, ref, 1);
    builder_end(&builder);
    json_t *root = json_of_file(fixture->path);
    assert_int_equal(number(total(root, "handle"), "opened"), 0);
    assert_int_equal(json_array_size(json_object_get(root, "sites")), 0);
    json_decref(root);
    const char *const sources[] = {fixture->path};
    char *text = printed(&(struct report_request){.sources = sources, .source_count = 1}, NULL,
                         report_print_held);
    assert_non_null(strstr(text, "held at its end 0 sessions"));
    free(text);
}

// Numbers of a damaged trace, whose sums overflow, are printed like others.
static void absurd_numbers_are_printed(void **state)
{
    struct fixture *fixture = *state;
    struct trace_builder builder;
    builder_begin(&builder, fixture->path);
    const uint64_t ended[] = {UINT64_MAX, UINT64_MAX << 31, UINT64_MAX / 2 + 1};
    for (int i = 0; i < 3; i++) {
        const struct builder_frame frames[] = {{"/srv/trader/app.py", 7, "f"}, {0}};
        struct trace_site *site =
            builder_site(&builder, TRACE_HANDLE, builder_stack(&builder, frames), NULL);
        for (int end = 0; end < TRACE_ENDS; end++)
            site->ended[end] = ended[i];
        site->longest_ns = UINT64_MAX;
        site->total_hold_ns = UINT64_MAX;
    }
    const struct builder_frame other[] = {{"/srv/trader/app.py", 8, "g"}, {0}};
    builder_site(&builder, TRACE_HANDLE, builder_stack(&builder, other), NULL)
        ->ended[TRACE_RELEASED] = UINT64_MAX;
    builder_end(&builder);
    json_t *root = json_of_file(fixture->path);
    assert_int_equal(json_array_size(json_object_get(root, "sites")), 2);
    json_decref(root);
    const char *const sources[] = {fixture->path};
    free(printed(&(struct report_request){.sources = sources, .source_count = 1}, NULL,
                 report_print));
}

static void equal_places_merge_and_others_do_not(void **state)
{
    struct fixture *fixture = *state;
    struct trace_builder builder;
    builder_begin(&builder, fixture->path);
    const struct builder_frame one[] = {
        {"/srv/trader/a.py", 7, "f"}, {"/srv/trader/main.py", 1, "x"}, {0}};
    const struct builder_frame same[] = {
        {"/srv/trader/a.py", 7, "f"}, {"/srv/trader/main.py", 2, "y"}, {0}};
    const struct builder_frame line[] = {{"/srv/trader/a.py", 8, "f"}, {0}};
    const struct builder_frame file[] = {{"/srv/trader/b.py", 7, "f"}, {0}};
    add_site(&builder, one, 3, 1);
    add_site(&builder, same, 4, 2);
    add_site(&builder, line, 0, 1);
    add_site(&builder, file, 0, 1);
    uint32_t ref = TRACE_NONE; // another kind at the same place
    builder_site(&builder, TRACE_HANDLE, builder_stack(&builder, one), &ref)->ended[0] = 1;
    builder_end(&builder);
    json_t *root = json_of_file(fixture->path);
    assert_int_equal(json_array_size(json_object_get(root, "sites")), 4);
    const json_t *merged = json_array_get(json_object_get(root, "sites"), 0); // the worst is first
    assert_int_equal(number(merged, "line"), 7);
    assert_int_equal(number(merged, "opened"), 10);
    assert_int_equal(number(merged, "never_closed"), 3);
    assert_string_equal(text_of(merged, "pattern"), "some path skips close()");
    assert_string_equal(text_of(site_at(root, "a.py", 8), "kind"), "checkout");
    json_decref(root);
}

static void ids_are_the_same_in_another_folder(void **state)
{
    struct fixture *fixture = *state;
    char ids[2][16];
    for (int i = 0; i < 2; i++) {
        struct trace_builder builder;
        builder_begin(&builder, fixture->path);
        if (i == 1)
            strcpy(builder.writer.header->directory, "/home/me/trader");
        const struct builder_frame frames[] = {
            {i ? "/home/me/trader/a.py" : "/srv/trader/a.py", 7, "f"}, {0}};
        add_site(&builder, frames, 0, 1);
        builder_end(&builder);
        json_t *root = json_of_file(fixture->path);
        snprintf(ids[i], sizeof ids[i], "%s", text_of(site_at(root, "a.py", 7), "id"));
        json_decref(root);
        unlink(fixture->path);
    }
    assert_int_equal(strlen(ids[0]), 10);
    assert_string_equal(ids[0], ids[1]);
}

static void library_frames_do_not_name_a_site(void **state)
{
    struct fixture *fixture = *state;
    struct trace_builder builder;
    builder_begin(&builder, fixture->path);
    const struct builder_frame frames[] = {
        {"<frozen importlib._bootstrap>", 1, "_call"},
        {"/opt/venv/lib/python3.12/site-packages/app_framework/run.py", 3, "run"},
        {"/root/.pyenv/versions/3.12.1/lib/python3.12/contextlib.py", 137, "__enter__"},
        {"/srv/vendor/sqlalchemy/orm/session.py", 4, "Session.execute"},
        {"/srv/trader/sqlalchemy_tools.py", 9, "fetch"},
        {0}};
    add_site(&builder, frames, 0, 1);
    const struct builder_frame all_library[] = {{"/usr/lib/python3.11/threading.py", 5, "run"},
                                                {0}};
    add_site(&builder, all_library, 0, 1);
    builder_end(&builder);
    json_t *root = json_of_file(fixture->path);
    assert_string_equal(text_of(site_at(root, "sqlalchemy_tools.py", 9), "function"), "fetch");
    site_at(root, "base.py", 100); // nothing is the user's: the direct caller
    json_decref(root);
}

static void the_place_of_creation_names_the_site(void **state)
{
    struct fixture *fixture = *state;
    struct trace_builder builder;
    builder_begin(&builder, fixture->path);
    const struct builder_frame taken[] = {{"/srv/trader/query.py", 70, "load"}, {0}};
    const struct builder_frame created[] = {
        library_frame, {"/srv/trader/page.py", 12, "Page.render"}, {0}};
    struct trace_site *site =
        builder_site(&builder, TRACE_CHECKOUT, builder_stack(&builder, taken), NULL);
    site->created = builder_stack(&builder, created);
    site->ended[TRACE_RECLAIMED] = 2;
    builder_end(&builder);
    json_t *root = json_of_file(fixture->path);
    const json_t *named = site_at(root, "page.py", 12);
    assert_int_equal(json_array_size(json_object_get(named, "created")), 2);
    assert_string_equal(text_of(json_array_get(json_object_get(named, "frames"), 0), "function"),
                        "load");
    json_decref(root);
}

// get_db hands its session on, as its source says; load does not, although it has two callers.
static void factories_are_passed_over(void **state)
{
    struct fixture *fixture = *state;
    write_text(fixture->code, "def get_db():\n"
                              "    db = SessionLocal()\n"
                              "    return db\n"
                              "def get_any():\n"
                              "    return SessionLocal(\n"
                              "        bind=engine)\n"
                              "def load():\n"
                              "    db = SessionLocal()\n"
                              "    return db.query(User).all()\n"
                              "def count():\n"
                              "    return SessionLocal().query(User).count()\n");
    struct trace_builder builder;
    builder_begin(&builder, fixture->path);
    const struct {
        unsigned line;
        const char *function;
    } inner[] = {{2, "get_db"}, {5, "get_any"}, {8, "load"}, {11, "count"}};
    for (unsigned i = 0; i < 4; i++)
        for (unsigned caller = 0; caller < 2; caller++) {
            const struct builder_frame frames[] = {
                {fixture->code, inner[i].line, inner[i].function},
                {"/srv/trader/page.py", 10 * (i + 1) + caller, "render"},
                {0}};
            add_site(&builder, frames, 0, 1);
        }
    builder_end(&builder);
    json_t *root = json_of_file(fixture->path);
    assert_int_equal(json_array_size(json_object_get(root, "sites")), 2 + 2 + 1 + 1);
    const json_t *via = json_object_get(site_at(root, "page.py", 11), "via");
    assert_string_equal(text_of(via, "function"), "get_db");
    site_at(root, "page.py", 10);
    site_at(root, "page.py", 20);
    site_at(root, "page.py", 21);
    assert_int_equal(number(site_at(root, "app.py", 8), "never_closed"), 2);
    site_at(root, "app.py", 11);
    json_decref(root);
}

// Without source: one caller closes all, another none, so closing is left to the callers.
static void factories_show_by_what_callers_do(void **state)
{
    struct fixture *fixture = *state;
    struct trace_builder builder;
    builder_begin(&builder, fixture->path);
    for (unsigned caller = 0; caller < 2; caller++) {
        const struct builder_frame factory[] = {{"/srv/trader/nowhere.py", 2, "make"},
                                                {"/srv/trader/page.py", 10 + caller, "render"},
                                                {0}};
        add_site(&builder, factory, caller ? 5 : 0, caller ? 0 : 5);
        const struct builder_frame leaky[] = {{"/srv/trader/nowhere.py", 9, "load"},
                                              {"/srv/trader/page.py", 20 + caller, "render"},
                                              {0}};
        add_site(&builder, leaky, 5, 5); // of both callers some are closed
    }
    builder_end(&builder);
    json_t *root = json_of_file(fixture->path);
    assert_int_equal(number(site_at(root, "page.py", 10), "never_closed"), 5);
    assert_int_equal(number(site_at(root, "page.py", 11), "never_closed"), 0);
    assert_int_equal(number(site_at(root, "nowhere.py", 9), "never_closed"), 10);
    json_decref(root);
}

static void processes_are_merged(void **state)
{
    struct fixture *fixture = *state;
    const char *const paths[] = {fixture->path, fixture->other};
    for (uint32_t i = 0; i < 2; i++) {
        struct trace_builder builder;
        builder_begin(&builder, paths[i]);
        builder.writer.header->pid += i;
        builder.writer.header->run_id = 5 + i;
        uint32_t pool_ref;
        struct trace_pool *pool = builder_pool(&builder, "libzdb", "a.db", 5, 0, &pool_ref);
        pool->high_water = 2 + i;
        pool->high_water_ns = BUILDER_START + (3 + i) * BUILDER_SECOND;
        pool->acquires = 10;
        const struct builder_frame frames[] = {{"/srv/trader/a.py", 7, "f"}, {0}};
        uint32_t ref = add_site(&builder, frames, 3, 1);
        struct trace_site *site = trace_record(&builder.writer, TRACE_SITES, ref);
        site->pool = pool_ref;
        site->out = 1;
        site->out_at_peak = 2 + i;
        builder_session(&builder, ref, 100)->owner = pool_ref;
        builder_end(&builder);
    }
    const char *const folder[] = {fixture->folder};
    struct report_outcome outcome;
    const struct report_request request = {.sources = folder, .source_count = 1};
    json_t *root = json_of(&request, &outcome);
    assert_int_equal(outcome.traces, 2);
    assert_int_equal(outcome.never_closed, 4);
    assert_int_equal(json_array_size(json_object_get(root, "processes")), 2);
    assert_int_equal(number(site_at(root, "a.py", 7), "opened"), 10);
    assert_int_equal(json_array_size(json_object_get(root, "pools")), 1);
    const json_t *pool = json_array_get(json_object_get(root, "pools"), 0);
    assert_int_equal(number(pool, "acquires"), 20);
    assert_int_equal(number(pool, "instances"), 2);
    const json_t *high_water = json_object_get(pool, "high_water");
    assert_int_equal(number(high_water, "count"), 3); // of the fuller one, not the sum
    assert_true(json_real_value(json_object_get(high_water, "at")) == 4.0);
    const json_t *holder = json_array_get(json_object_get(high_water, "holders"), 0);
    assert_int_equal(number(holder, "count"), 3);
    assert_string_equal(text_of(holder, "site"), text_of(site_at(root, "a.py", 7), "id"));
    json_decref(root);

    struct report_request one = request;
    one.run_id = 6;
    root = json_of(&one, &outcome);
    assert_int_equal(outcome.traces, 1);
    json_decref(root);
}

static void holders_at_the_peak_follow_the_peaks_number(void **state)
{
    struct fixture *fixture = *state;
    struct trace_builder builder;
    builder_begin(&builder, fixture->path);
    uint32_t pool_ref;
    struct trace_pool *pool = builder_pool(&builder, "libzdb", NULL, 5, 0, &pool_ref);
    pool->high_water = 5;
    pool->peak = 8;
    const struct builder_frame changed[] = {{"/srv/trader/a.py", 1, "f"}, {0}};
    const struct builder_frame unchanged[] = {{"/srv/trader/a.py", 2, "f"}, {0}};
    struct trace_site *site;
    site = trace_record(&builder.writer, TRACE_SITES, add_site(&builder, changed, 3, 0));
    site->pool = pool_ref;
    site->peak = 8; // changed since the peak: then it had 3
    site->out_at_peak = 3;
    site->out = 1;
    site = trace_record(&builder.writer, TRACE_SITES, add_site(&builder, unchanged, 3, 0));
    site->pool = pool_ref;
    site->peak = 7; // not changed since: has now what it had then
    site->out_at_peak = 4;
    site->out = 2;
    builder_end(&builder);
    json_t *root = json_of_file(fixture->path);
    const json_t *pool_json = json_array_get(json_object_get(root, "pools"), 0);
    const json_t *holders = json_object_get(json_object_get(pool_json, "high_water"), "holders");
    assert_int_equal(json_array_size(holders), 2);
    assert_int_equal(number(json_array_get(holders, 0), "count"), 3);
    assert_int_equal(number(json_array_get(holders, 1), "count"), 2);
    json_decref(root);
}

static char *text_of_file(const char *path)
{
    const char *const sources[] = {path};
    return printed(&(struct report_request){.sources = sources, .source_count = 1}, NULL,
                   report_print);
}

// Sessions of one site: `count` in 5 s, all of them held for the time of a bucket.
static void add_loop(struct trace_builder *builder, unsigned line, enum trace_kind kind,
                     uint32_t count, int bucket)
{
    const struct builder_frame frames[] = {{"/srv/trader/loop.py", line, "poll"}, {0}};
    struct trace_site *site = builder_site(builder, kind, builder_stack(builder, frames), NULL);
    site->ended[TRACE_RELEASED] = count;
    site->hold[bucket] = count;
    site->last_ns = site->first_ns + 5 * BUILDER_SECOND;
    site->longest_ns = 70 * BUILDER_SECOND;
}

static void tight_loops_are_churn(void **state)
{
    struct fixture *fixture = *state;
    struct trace_builder builder;
    builder_begin(&builder, fixture->path);
    add_loop(&builder, 1, TRACE_HANDLE, 400, 11);   // 80 a second, of 1.024 to 2.048 ms
    add_loop(&builder, 2, TRACE_CHECKOUT, 100, 11); // 20 a second
    add_loop(&builder, 3, TRACE_HANDLE, 99, 11);    // less
    add_loop(&builder, 4, TRACE_HANDLE, 400, 18);   // of 131 to 262 ms: work
    add_loop(&builder, 5, TRACE_STATEMENT, 400, 11);
    builder_end(&builder);
    json_t *root = json_of_file(fixture->path);
    const json_t *churn = json_object_get(site_at(root, "loop.py", 1), "churn");
    assert_true(json_real_value(json_object_get(churn, "rate")) == 80.0);
    double median = json_real_value(json_object_get(churn, "median_hold"));
    assert_true(median > 1.5e-3 && median < 1.6e-3); // the middle of the bucket
    assert_int_equal(number(site_at(root, "loop.py", 1), "never_closed"), 0);
    assert_non_null(json_object_get(site_at(root, "loop.py", 2), "churn"));
    for (json_int_t line = 3; line <= 5; line++)
        assert_null(json_object_get(site_at(root, "loop.py", line), "churn"));
    json_decref(root);
    char *text = text_of_file(fixture->path);
    assert_non_null(strstr(text,
                           "churn: opened again and again, for a moment each\n"
                           "      loop.py:1 poll\n"
                           "        400 handles · 80.0 per second · median hold about 1.5 ms · "
                           "longest 70.0 s\n"));
    assert_non_null(strstr(text, "loop.py:2 poll\n        100 checkouts · 20.0 per second"));
    assert_null(strstr(text, "loop.py:3"));
    free(text);
    const char *const sources[] = {fixture->path};
    text = printed(&(struct report_request){.sources = sources, .source_count = 1, .limit = 1},
                   NULL, report_print);
    assert_non_null(strstr(text, "      and 1 more site (-n 0 for all)\n"));
    free(text);
}

// Time in which a site's process opened nothing, before it began or in another one, does not count;
// sessions still out are not short ones.
static void churn_counts_active_time_and_all_sessions(void **state)
{
    struct fixture *fixture = *state;
    const char *const paths[] = {fixture->path, fixture->other};
    for (uint32_t i = 0; i < 2; i++) {
        struct trace_builder builder;
        builder_begin(&builder, paths[i]);
        builder.writer.header->pid += i;
        add_loop(&builder, 1, TRACE_HANDLE, i ? 60 : 240, 11);
        add_loop(&builder, 2, TRACE_HANDLE, 100, 11);
        const struct builder_frame frames[] = {{"/srv/trader/loop.py", 2, "poll"}, {0}};
        uint32_t ref;
        struct trace_site *site =
            builder_site(&builder, TRACE_HANDLE, builder_stack(&builder, frames), &ref);
        site->last_ns = site->first_ns + BUILDER_SECOND;
        for (int n = 0; n < 101; n++)
            builder_session(&builder, ref, 1);
        builder_end(&builder);
    }
    json_t *root = json_of(
        &(struct report_request){.sources = (const char *const *)paths, .source_count = 2}, NULL);
    const json_t *churn = json_object_get(site_at(root, "loop.py", 1), "churn");
    assert_true(json_real_value(json_object_get(churn, "rate")) == 30.0); // 300 in 2 times 5 s
    assert_null(json_object_get(site_at(root, "loop.py", 2), "churn"));
    json_decref(root);
}

struct taker { // a site that took from a pool
    uint64_t released, reclaimed;
    uint32_t out_at_peak;
    double open_since[2]; // seconds; 0: none
};

// A pool of 4 + 1 that was full 50 s after the start, and its sites.
static void write_pool(const char *path, const struct taker *takers, int count, uint64_t acquires)
{
    struct trace_builder builder;
    builder_begin(&builder, path);
    uint32_t pool_ref;
    struct trace_pool *pool = builder_pool(&builder, "libzdb", "a.db", 4, 1, &pool_ref);
    pool->high_water = 5;
    pool->high_water_ns = BUILDER_START + 50 * BUILDER_SECOND;
    pool->acquires = acquires;
    for (int i = 0; i < count; i++) {
        const struct builder_frame frames[] = {{"/srv/trader/a.py", 10 + (uint32_t)i, "f"}, {0}};
        uint32_t ref = add_site(&builder, frames, takers[i].released, takers[i].reclaimed);
        struct trace_site *site = trace_record(&builder.writer, TRACE_SITES, ref);
        site->pool = pool_ref;
        site->out_at_peak = takers[i].out_at_peak;
        site->hold[18] = (uint32_t)takers[i].released; // 0.131 to 0.262 s
        site->hold[26] = (uint32_t)takers[i].reclaimed;
        site->total_hold_ns =
            takers[i].released * BUILDER_SECOND / 5 + takers[i].reclaimed * 50 * BUILDER_SECOND;
        for (int n = 0; n < 2; n++)
            if (takers[i].open_since[n] > 0)
                builder_session(&builder, ref, takers[i].open_since[n])->owner = pool_ref;
    }
    builder_end(&builder);
}

static double real(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_real(value))
        fail_msg("%s is missing", key);
    return json_real_value(value);
}

static const json_t *sizing_of(const json_t *root)
{
    return json_object_get(json_array_get(json_object_get(root, "pools"), 0), "sizing");
}

// What leaked is exact where all or none of a site does, and where the sessions are still open.
static void sizing_of_a_pool_is_exact_where_it_can_be(void **state)
{
    struct fixture *fixture = *state;
    const struct taker takers[] = {
        {.released = 490, .out_at_peak = 2},                       // closes all
        {.reclaimed = 6, .out_at_peak = 2},                        // closes none
        {.released = 1, .out_at_peak = 1, .open_since = {20, 60}}, // one of them since the peak
    };
    write_pool(fixture->path, takers, 3, 495);
    json_t *root = json_of_file(fixture->path);
    const json_t *sizing = sizing_of(root);
    assert_true(real(sizing, "arrival_per_second") == 5.0); // 495 from 1 s to 100 s
    assert_true(real(sizing, "mean_hold") == 0.2); // those of the site that leaks are not in
    assert_true(real(sizing, "mean_out") == 1.0);
    assert_true(json_is_true(json_object_get(sizing, "mean_hold_exact")));
    assert_int_equal(number(sizing, "high_water"), 5);
    assert_int_equal(number(sizing, "leaked_at_high_water"), 3);
    assert_int_equal(number(sizing, "needed_without_leaks"), 2);
    assert_true(json_is_true(json_object_get(sizing, "exact")));
    json_decref(root);
    char *text = text_of_file(fixture->path);
    assert_non_null(
        strstr(text, "on average: 495 acquires in 99.0 s = 5.0 per second, x 200.0 ms"));
    assert_non_null(strstr(text, "at its peak: high-water 5 - 3 held by sessions never closed = 2 "
                                 "needed without leaks: 5 are"));
    free(text);
}

static void sizing_of_a_pool_has_bounds_where_it_is_not_exact(void **state)
{
    struct fixture *fixture = *state;
    const struct taker takers[] = {
        {.released = 400, .reclaimed = 3, .out_at_peak = 5, .open_since = {20}}};
    write_pool(fixture->path, takers, 1, 404);
    json_t *root = json_of_file(fixture->path);
    const json_t *sizing = sizing_of(root);
    assert_int_equal(number(sizing, "leaked_at_high_water"), 4); // the open one and at most 3
    assert_int_equal(number(sizing, "needed_without_leaks"), 1);
    assert_true(json_is_false(json_object_get(sizing, "exact")));
    assert_true(json_is_false(json_object_get(sizing, "mean_hold_exact")));
    assert_true(real(sizing, "mean_hold") > 0.19 && real(sizing, "mean_hold") < 0.2); // the shorter
    json_decref(root);
    char *text = text_of_file(fixture->path);
    assert_non_null(
        strstr(text, "high-water 5 - 1 to 4 held by sessions never closed = 1 to 4 needed"));
    free(text);
}

// A pool that nothing is wrong with has numbers, and no advice; one with few acquires no average.
static void sizing_is_quiet_without_reason(void **state)
{
    struct fixture *fixture = *state;
    const struct taker takers[] = {{.released = 9, .out_at_peak = 5}};
    write_pool(fixture->path, takers, 1, 9);
    json_t *root = json_of_file(fixture->path);
    assert_int_equal(number(sizing_of(root), "needed_without_leaks"), 5);
    assert_null(json_object_get(sizing_of(root), "mean_out"));
    json_decref(root);
    char *text = text_of_file(fixture->path);
    assert_null(strstr(text, "at its peak"));
    assert_null(strstr(text, "on average"));
    free(text);
}

// One line opens sessions in three tests and outside of them; whether they are still out or were
// reclaimed, each is under its test.
static void leaks_are_under_the_test_that_opened_them(void **state)
{
    struct fixture *fixture = *state;
    struct trace_builder builder;
    builder_begin(&builder, fixture->path);
    const struct builder_frame frames[] = {{"/srv/trader/a.py", 7, "f"}, {0}};
    const char *const tests[] = {"t.py::one", "t.py::two", "t.py::good", NULL};
    const uint64_t reclaimed[] = {3, 0, 0, 4};
    for (int i = 0; i < 4; i++) {
        uint32_t ref = add_site(&builder, frames, 2, reclaimed[i]);
        struct trace_site *site = trace_record(&builder.writer, TRACE_SITES, ref);
        site->test = builder_string(&builder, tests[i]);
        site->task = builder_string(&builder, i == 0 ? "Task-1" : NULL);
        if (i == 1) {
            struct trace_session *session = builder_session(&builder, ref, 1);
            session->test = builder_string(&builder, tests[i]);
            session->task = builder_string(&builder, "Task-2");
        }
    }
    builder_end(&builder);
    const char *const sources[] = {fixture->path};
    json_t *root = json_of(
        &(struct report_request){.sources = sources, .source_count = 1, .group_by = REPORT_BY_TEST},
        NULL);
    const json_t *site = site_at(root, "a.py", 7);
    assert_int_equal(json_array_size(json_object_get(site, "tests")), 2);
    const json_t *by_test = json_object_get(site, "never_closed_by_test");
    assert_int_equal(json_object_size(by_test), 2);
    assert_int_equal(number(by_test, "t.py::one"), 3);
    assert_int_equal(number(by_test, "t.py::two"), 1);
    assert_int_equal(json_array_size(json_object_get(site, "tasks")), 2);
    const json_t *groups = json_object_get(root, "groups");
    const char *const names[] = {"(no test)", "t.py::one", "t.py::two"};
    const json_int_t counts[] = {4, 3, 1};
    assert_int_equal(json_array_size(groups), 3);
    for (size_t i = 0; i < 3; i++) {
        const json_t *group = json_array_get(groups, i);
        assert_string_equal(text_of(group, "name"), names[i]);
        assert_int_equal(number(group, "never_closed"), counts[i]);
    }
    json_decref(root);
}

static size_t occurrences(const char *text, const char *part)
{
    size_t count = 0;
    for (; (text = strstr(text, part)); text++)
        count++;
    return count;
}

// Whether a report says so of a never-closed handle that line 1 of `code` opens.
static bool says_with(const struct fixture *fixture, const char *code)
{
    struct trace_builder builder;
    write_text(fixture->code, code);
    builder_begin(&builder, fixture->path);
    const struct builder_frame frames[] = {{fixture->code, 1, "f"}, {0}};
    builder_site(&builder, TRACE_HANDLE, builder_stack(&builder, frames), NULL)
        ->ended[TRACE_RECLAIMED] = 1;
    const struct builder_frame other[] = {{fixture->code, 1, "g"}, {0}};
    builder_site(&builder, TRACE_HANDLE, builder_stack(&builder, other), NULL)
        ->ended[TRACE_RECLAIMED] = 1;
    builder_end(&builder);
    char *text = text_of_file(fixture->path);
    const char *const note = "note: `with conn:` commits or rolls back, it does not close\n";
    size_t times = occurrences(text, note);
    assert_in_range(times, 0, 1);
    free(text);
    unlink(fixture->path);
    return times == 1;
}

static void with_does_not_close(void **state)
{
    const struct fixture *fixture = *state;
    assert_true(says_with(fixture, "    with sqlite3.connect(path) as db:\n"));
    assert_true(says_with(fixture, "with connect(path):\n"));
    assert_true(says_with(fixture, "    db = sqlite3.connect(path)\n    f()\n    with db:\n"));
    assert_true(says_with(fixture, "self.db = connect(path)\nwith self.db:\n"));
    assert_false(says_with(fixture, "with closing(sqlite3.connect(path)) as db:\n"));
    assert_false(says_with(fixture, "async with aiosqlite.connect(path) as db:\n"));
    assert_false(says_with(fixture, "db = sqlite3.connect(path)\nwith lock:\n"));
    assert_false(says_with(fixture, "db = sqlite3.connect(path)\ndef f(db):\n    with db:\n"));
    assert_false(says_with(fixture, "db == connect(path)\nwith db:\n"));
    assert_false(says_with(fixture, "db = sqlite3.connect(path)\n"));
}

// Field 22 of /proc/self/stat.
static uint64_t own_start_ticks(void)
{
    char text[1024];
    FILE *file = fopen("/proc/self/stat", "re");
    assert_non_null(file);
    text[fread(text, 1, sizeof text - 1, file)] = 0;
    fclose(file);
    char *at = strrchr(text, ')');
    for (int spaces = 0; spaces < 20; spaces++)
        at = strchr(at + 1, ' ');
    return strtoull(at, NULL, 10);
}

// A count of waiters is there while the process runs, unless it went below zero.
static void waiting_is_of_now(void **state)
{
    struct fixture *fixture = *state;
    for (int running = 0; running < 2; running++)
        for (int miscounted = 0; miscounted < 2; miscounted++) {
            struct trace_builder builder;
            builder_begin(&builder, fixture->path);
            if (running) {
                builder.writer.header->pid = (uint32_t)getpid();
                builder.writer.header->ended = TRACE_ENDED_UNKNOWN;
                builder.writer.header->end_ns = 0;
                builder.writer.header->process_start_ticks = own_start_ticks();
            }
            uint32_t ref;
            struct trace_pool *pool = builder_pool(&builder, "libzdb", "a.db", 5, 0, &ref);
            pool->waiting = miscounted ? UINT32_MAX : 2;
            json_t *root = json_of_file(fixture->path);
            const json_t *pool_json = json_array_get(json_object_get(root, "pools"), 0);
            const json_t *waiting = json_object_get(pool_json, "waiting");
            if (running && !miscounted)
                assert_int_equal(json_integer_value(waiting), 2);
            else
                assert_null(waiting);
            json_decref(root);
            builder_end(&builder); // until here it is mapped, as in a process that runs
            unlink(fixture->path);
        }
}

static void the_threshold_excuses_what_is_young(void **state)
{
    struct fixture *fixture = *state;
    struct trace_builder builder;
    builder_begin(&builder, fixture->path);
    const struct builder_frame frames[] = {{"/srv/trader/a.py", 7, "f"}, {0}};
    uint32_t ref = add_site(&builder, frames, 30, 0);
    struct trace_site *site = trace_record(&builder.writer, TRACE_SITES, ref);
    site->late = 11;
    // Held for [2^(i-1), 2^i) us: 16 to 33 s, 33 to 67 s.
    site->hold[25] = 7;
    site->hold[26] = 2;
    builder.writer.header->threshold_ns = 20 * BUILDER_SECOND;
    builder_session(&builder, ref, 10);  // 172.3 s old at the end
    builder_session(&builder, ref, 180); // 2.3 s
    builder_end(&builder);
    const char *const sources[] = {fixture->path};
    struct report_request request = {.sources = sources, .source_count = 1};
    struct report_outcome outcome;
    json_decref(json_of(&request, &outcome));
    assert_int_equal(outcome.never_closed, 2);
    assert_int_equal(outcome.late, 11); // as the recorder counted
    request.threshold_ns = 20 * BUILDER_SECOND;
    json_t *root = json_of(&request, &outcome);
    assert_int_equal(outcome.never_closed, 1);
    assert_int_equal(outcome.late, 11);
    assert_int_equal(number(total(root, "checkout"), "below_threshold"), 1);
    json_decref(root);
    request.threshold_ns = 30 * BUILDER_SECOND;
    json_decref(json_of(&request, &outcome));
    assert_int_equal(outcome.late, 2); // at least so many: the next bucket begins at 33 s
}

static void unseen_functions_are_those_never_called_anywhere(void **state)
{
    struct fixture *fixture = *state;
    const char *const paths[] = {fixture->path, fixture->other};
    for (int i = 0; i < 2; i++) {
        struct trace_builder builder;
        builder_begin(&builder, paths[i]);
        const char *const names[] = {"my_get", "my_put", "shipped_get"};
        for (int n = 0; n < 3; n++) {
            struct trace_function *function;
            (void)trace_new_record(&builder.writer, TRACE_FUNCTIONS, &function);
            function->name = builder_string(&builder, names[n]);
            function->asked = n < 2;
            function->calls = n == 0 && i == 1;
        }
        builder_end(&builder);
    }
    json_t *root = json_of(
        &(struct report_request){.sources = (const char *const *)paths, .source_count = 2}, NULL);
    const json_t *unseen = json_object_get(root, "unseen");
    assert_int_equal(json_array_size(unseen), 1);
    assert_string_equal(json_string_value(json_array_get(unseen, 0)), "my_put");
    json_decref(root);
}

static void texts_that_are_not_utf8_are_still_json(void **state)
{
    struct fixture *fixture = *state;
    struct trace_builder builder;
    builder_begin(&builder, fixture->path);
    const struct builder_frame frames[] = {{"/srv/trader/\xff\xfe.py", 7, "f\x80\xc3\xa9"}, {0}};
    uint32_t ref = add_site(&builder, frames, 0, 0);
    builder_session(&builder, ref, 1)->database = builder_string(&builder, "\xed\xa0\x80\x1b[31m");
    builder_end(&builder);
    json_t *root = json_of_file(fixture->path);
    assert_string_equal(text_of(json_array_get(json_object_get(root, "sites"), 0), "function"),
                        "f?\xc3\xa9");
    json_decref(root);
    const char *const sources[] = {fixture->path};
    char *text = printed(&(struct report_request){.sources = sources, .source_count = 1}, NULL,
                         report_print);
    assert_null(strchr(text, 0x1b)); // a database's name does not drive the terminal
    free(text);
}

static void what_is_no_trace_is_a_failure(void **state)
{
    struct fixture *fixture = *state;
    struct report_outcome outcome;
    const char *const wrong[] = {"/bin/true", "/nowhere/at/all", fixture->folder, "999999999"};
    for (size_t i = 0; i < sizeof wrong / sizeof wrong[0]; i++) {
        const struct report_request request = {.sources = &wrong[i], .source_count = 1};
        assert_int_equal(report_print(&request, stdout, &outcome), REPORT_FAILURE);
        assert_int_equal(outcome.problems, 1);
    }
    const char *const folder[] = {fixture->folder};
    const struct report_request lenient = {
        .sources = folder, .source_count = 1, .none_is_fine = true};
    free(printed(&lenient, &outcome, report_print));
    assert_int_equal(outcome.problems, 0);
}

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

static void add_service_shortage(struct trace_builder *b, uint32_t pool, const uint32_t sites[2])
{
    uint64_t words[5 + 2 * 2] = {0};
    struct trace_shortage shortage = {.at_ns = BUILDER_START + 170 * BUILDER_SECOND,
                                      .waited_ns = 10 * BUILDER_SECOND,
                                      .pool = pool,
                                      .stack = builder_stack(b, service_job),
                                      .thread = builder_string(b, "web-7"),
                                      .failed = 1,
                                      .waiting = 5,
                                      .holder_count = 2};
    memcpy(words, &shortage, sizeof shortage);
    for (int i = 0; i < 2; i++) {
        struct trace_holder holder = {.site = sites[i], .acquired_ns = BUILDER_START};
        memcpy(&words[5 + 2 * i], &holder, sizeof holder);
    }
    (void)trace_append_words(&b->writer, TRACE_SHORTAGES, words, 9);
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
    add_service_shortage(b, pool, sites);
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
    struct report_request request = {.sources = sources, .source_count = 1, .limit = 10};
    char *text = printed(&request, NULL, report_print);
    expect_golden("service.txt", text);
    free(text);
    request.all_frames = true;
    text = printed(&request, NULL, report_print);
    expect_golden("service-frames.txt", text);
    free(text);
    request.all_frames = false;
    const char *const groups[] = {"file", "thread", "pool", "test"};
    for (size_t i = 0; i < 4; i++) {
        request.group_by = (enum report_group)report_group_by_name(groups[i]);
        char name[64];
        snprintf(name, sizeof name, "service-by-%s.txt", groups[i]);
        text = printed(&request, NULL, report_print);
        expect_golden(name, text);
        free(text);
    }
    request.limit = 0;
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
    struct report_request request = {.sources = sources, .source_count = 1, .limit = 10};
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
        TEST(outcomes_add_up),
        TEST(inner_handles_are_not_listed),
        TEST(absurd_numbers_are_printed),
        TEST(equal_places_merge_and_others_do_not),
        TEST(ids_are_the_same_in_another_folder),
        TEST(library_frames_do_not_name_a_site),
        TEST(the_place_of_creation_names_the_site),
        TEST(factories_are_passed_over),
        TEST(factories_show_by_what_callers_do),
        TEST(processes_are_merged),
        TEST(holders_at_the_peak_follow_the_peaks_number),
        TEST(tight_loops_are_churn),
        TEST(churn_counts_active_time_and_all_sessions),
        TEST(leaks_are_under_the_test_that_opened_them),
        TEST(with_does_not_close),
        TEST(waiting_is_of_now),
        TEST(sizing_of_a_pool_is_exact_where_it_can_be),
        TEST(sizing_of_a_pool_has_bounds_where_it_is_not_exact),
        TEST(sizing_is_quiet_without_reason),
        TEST(the_threshold_excuses_what_is_young),
        TEST(unseen_functions_are_those_never_called_anywhere),
        TEST(texts_that_are_not_utf8_are_still_json),
        TEST(what_is_no_trace_is_a_failure),
        TEST(the_text_is_as_it_was),
        TEST(a_planted_fault_is_seen),
        TEST(json_has_the_promised_keys),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
