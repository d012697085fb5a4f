// Reports on made-up traces: totals, naming and merging of sites, pools, JSON.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <unistd.h>

#include "report_fixture.h"

static const json_t *total(const json_t *root, const char *kind)
{
    return json_object_get(json_object_get(root, "totals"), kind);
}

// Who closed what: each way to end has a number of its own, and is either the code's or not.
static void closers_are_told(void **state)
{
    struct fixture *fixture = *state;
    struct trace_builder builder;
    builder_begin(&builder, fixture->path);
    const struct builder_frame frames[] = {{"/srv/app.php", 7, "f"}, {0}};
    uint32_t ref;
    struct trace_site *site =
        builder_site(&builder, TRACE_HANDLE, builder_stack(&builder, frames), &ref);
    for (int end = 0; end <= TRACE_KEPT_BY_POOL; end++)
        site->ended[end] = UINT64_C(1) << end;
    builder.writer.header->runtimes[1] =
        (struct trace_runtime){TRACE_PHP, TRACE_RUNTIME_VERSION, 9, 1};
    builder.writer.header->runtimes[2] = (struct trace_runtime){77, 99, 9, 1}; // damaged
    builder_end(&builder);
    json_t *root = json_of_file(fixture->path);
    const json_t *handle = total(root, "handle");
    const json_t *by = json_object_get(handle, "closed_by");
    assert_int_equal(number(by, "code"), 1 << TRACE_RELEASED);
    assert_int_equal(number(by, "scope_end"), 1 << TRACE_RELEASED_SCOPE);
    assert_int_equal(number(by, "code_at_exit"), 1 << TRACE_RELEASED_EXIT);
    assert_int_equal(number(by, "reclaimed"), 1 << TRACE_RECLAIMED);
    assert_int_equal(number(by, "collector"), 1 << TRACE_COLLECTED);
    assert_int_equal(number(by, "end_of_request"), 1 << TRACE_REQUEST);
    assert_int_equal(number(by, "end_of_runtime"), 1 << TRACE_SHUTDOWN);
    assert_int_equal(number(by, "unknown"), 1 << TRACE_CLOSER_UNKNOWN);
    assert_int_equal(number(by, "pool"), 1 << TRACE_KEPT_BY_POOL);
    assert_int_equal(number(handle, "pooled"), 1 << TRACE_KEPT_BY_POOL);
    assert_int_equal(number(handle, "opened"), (1 << (TRACE_KEPT_BY_POOL + 1)) - 1);
    assert_int_equal(number(handle, "released"),
                     1 | 1 << TRACE_RELEASED_SCOPE | 1 << TRACE_RELEASED_EXIT);
    assert_int_equal(number(handle, "never_closed"), 1 << TRACE_RECLAIMED | 1 << TRACE_SHUTDOWN |
                                                         1 << TRACE_COLLECTED | 1 << TRACE_REQUEST);
    const json_t *notes =
        json_object_get(json_array_get(json_object_get(root, "processes"), 0), "notes");
    assert_int_equal(json_array_size(notes), 1);
    assert_non_null(
        strstr(json_string_value(json_array_get(notes, 0)), "PHP 9.1 is not supported yet"));
    json_decref(root);
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
    assert_int_equal(number(handle, "opened"), 132 + 5);
    assert_int_equal(number(handle, "being_released"), 1);
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
                         number(handle, "pooled") + number(handle, "being_released"));
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
        {"/home/ann/.pyenv/versions/3.12.1/lib/python3.12/contextlib.py", 137, "__enter__"},
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

// What was out for less than sessions of its site usually are, when its process was left or ended
// in another thread, gets no verdict; what the process's own end left behind does, and what is
// older.
static void what_was_under_way_gets_no_verdict(void **state)
{
    struct fixture *fixture = *state;
    struct trace_builder builder;
    builder_begin(&builder, fixture->path);
    const struct builder_frame frames[] = {{"/srv/trader/a.py", 7, "f"}, {0}};
    uint32_t ref = add_site(&builder, frames, 30, 0);
    struct trace_site *site = trace_record(&builder.writer, TRACE_SITES, ref);
    site->longest_ns = 5 * BUILDER_SECOND;
    builder_session(&builder, ref, 180);             // 2.3 s old at the end
    builder_session(&builder, ref, 170);             // older than any, but not by much
    builder_session(&builder, ref, 160);             // older than four times the longest
    builder_session(&builder, ref, 180)->tid = 4711; // the thread that ended it
    builder_session(&builder, ref, 180)->flags = TRACE_SESSION_REFUSED;
    builder_session(&builder, ref, 180)->state = TRACE_SLOT_RELEASING;
    builder_end(&builder);
    json_t *root = json_of_file(fixture->path);
    const json_t *checkout = total(root, "checkout");
    assert_int_equal(number(checkout, "opened"), 36);
    assert_int_equal(number(checkout, "released"), 30);
    assert_int_equal(number(checkout, "under_way"), 2);
    assert_int_equal(number(checkout, "being_released"), 1);
    assert_int_equal(number(checkout, "never_closed"), 3);
    json_decref(root);
}

// That it is not known who closes them says nothing against them; nor that a thread has ended in
// which the end of the interpreter stopped them.
static void stopped_thread(const char *path, bool python)
{
    struct trace_builder builder;
    builder_begin(&builder, path);
    const struct builder_frame frames[] = {{"/srv/trader/a.py", 7, "f"}, {0}};
    uint32_t ref = add_site(&builder, frames, 0, 0);
    struct trace_site *site = trace_record(&builder.writer, TRACE_SITES, ref);
    site->ended[TRACE_CLOSER_UNKNOWN] = 30;
    site->longest_ns = BUILDER_SECOND / 1000;
    builder.writer.header->last_ns = BUILDER_START + 181 * BUILDER_SECOND; // 1.3 s before the end
    builder.writer.header->flags = python ? TRACE_FLAG_PYTHON : 0;
    builder_session(&builder, ref, 180.99)->flags = TRACE_SESSION_THREAD_ENDED;
    builder_session(&builder, ref, 180.5)->flags = TRACE_SESSION_THREAD_ENDED;
    builder_end(&builder);
    json_t *root = json_of_file(path);
    assert_int_equal(number(total(root, "checkout"), "under_way"), python ? 1 : 0);
    assert_int_equal(number(total(root, "checkout"), "never_closed"), python ? 1 : 2);
    json_decref(root);
}

static void what_python_stopped_was_under_way(void **state)
{
    struct fixture *fixture = *state;
    stopped_thread(fixture->path, false);
    assert_int_equal(unlink(fixture->path), 0);
    stopped_thread(fixture->path, true);
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
    builder_session(&builder, ref, 10);              // 172.3 s old at the end
    builder_session(&builder, ref, 180)->tid = 4711; // 2.3 s; in the thread that ended the process
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

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        TEST(closers_are_told),
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
        TEST(what_was_under_way_gets_no_verdict),
        TEST(what_python_stopped_was_under_way),
        TEST(the_threshold_excuses_what_is_young),
        TEST(unseen_functions_are_those_never_called_anywhere),
        TEST(texts_that_are_not_utf8_are_still_json),
        TEST(what_is_no_trace_is_a_failure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
