// The model of `unclosed top`, from made-up traces of a process that goes on from reading to
// reading.
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cli/top/columns.h"
#include "cli/top/model.h"
#include "cli/top/timeline.h"
#include "cli/top/track.h"
#include "report/profile/reading.h"
#include "report_fixture.h"

static const struct builder_frame settings[] = {{"/srv/trader/ui/settings.py", 214, "render"}, {0}};
static const struct builder_frame overview[] = {{"/srv/trader/ui/overview.py", 159, "load"}, {0}};
static const struct builder_frame orders[] = {{"/srv/trader/Orders.py", 7, "list_orders"}, {0}};

// A process that is looked at: its trace, what reads it, what is made of that.
struct scene {
    struct trace_builder builder;
    struct trace_sources sources;
    struct profile_cache *cache;
    struct top_model *model;
    const char *path;
    uint32_t settings, overview, orders;
};

static void complain(void *data, const char *message)
{
    (void)data;
    fail_msg("%s", message);
}

static struct scene begin(void **state)
{
    const struct fixture *fixture = *state;
    struct scene scene = {.path = fixture->path};
    struct trace_builder *builder = &scene.builder;
    builder_begin(builder, fixture->path);
    builder_site(builder, TRACE_CHECKOUT, builder_stack(builder, settings), &scene.settings);
    builder_site(builder, TRACE_CHECKOUT, builder_stack(builder, overview), &scene.overview);
    builder_site(builder, TRACE_HANDLE, builder_stack(builder, orders), &scene.orders);
    scene.sources.arena = arena_new();
    trace_sources_add(&scene.sources, fixture->path, false);
    scene.cache = profile_cache_new();
    scene.model = top_model_new();
    return scene;
}

static void end(struct scene *scene)
{
    top_model_free(scene->model);
    profile_cache_free(scene->cache);
    arena_free(scene->sources.arena);
    builder_end(&scene->builder);
}

// A reading `seconds` after the first one.
static const struct top_snapshot *look(struct scene *scene, double seconds)
{
    const struct reading reading = {
        .sources = &scene->sources, .cache = scene->cache, .complain = complain};
    unsigned traces;
    struct profile *profile = reading_profile(&reading, &traces);
    assert_int_equal(traces, 1);
    top_model_take(scene->model, profile, (uint64_t)((1000 + seconds) * (double)TOP_SECOND));
    return top_model_snapshot(scene->model);
}

static void acquire(struct scene *scene, uint32_t site, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        builder_session(&scene->builder, site, 10 + i);
}

static struct top_row *row_named(const struct top_snapshot *snapshot, const char *name)
{
    for (size_t i = 0; i < snapshot->row_count; i++)
        if (strcmp(top_row_name(snapshot, &snapshot->rows[i]), name) == 0)
            return &snapshot->rows[i];
    fail_msg("there is no row %s", name);
    return NULL;
}

static void assert_order(const struct top_snapshot *snapshot, const char *const *names)
{
    size_t i = 0;
    for (; names[i]; i++) {
        assert_true(i < snapshot->row_count);
        assert_string_equal(top_row_name(snapshot, &snapshot->rows[i]), names[i]);
    }
    assert_int_equal(snapshot->row_count, i);
}

#define SETTINGS "ui/settings.py:214 render"
#define OVERVIEW "ui/overview.py:159 load"
#define ORDERS "Orders.py:7 list_orders"

static void test_held_and_its_growth(void **state)
{
    struct scene scene = begin(state);
    acquire(&scene, scene.settings, 3);
    acquire(&scene, scene.overview, 5);
    const struct top_snapshot *snapshot = look(&scene, 0);
    assert_int_equal(snapshot->growth_ns, 0);
    assert_int_equal(snapshot->held[TRACE_CHECKOUT], 8);
    assert_order(snapshot, (const char *const[]){OVERVIEW, SETTINGS, ORDERS, NULL});
    assert_int_equal(snapshot->rows[0].oldest_ns, 1723 * BUILDER_SECOND / 10);

    acquire(&scene, scene.settings, 4);
    snapshot = look(&scene, 10);
    assert_int_equal(snapshot->growth_ns, 10 * TOP_SECOND);
    assert_order(snapshot, (const char *const[]){SETTINGS, OVERVIEW, ORDERS, NULL});
    assert_int_equal(snapshot->rows[0].held, 7);
    assert_int_equal(snapshot->rows[0].growth, 4);
    assert_int_equal(snapshot->rows[1].growth, 0);
    end(&scene);
}

static void test_growth_is_of_the_last_minute(void **state)
{
    struct scene scene = begin(state);
    for (int second = 0; second <= 100; second++) {
        acquire(&scene, scene.settings, 1);
        (void)look(&scene, second);
    }
    const struct top_snapshot *snapshot = top_model_snapshot(scene.model);
    assert_int_equal(snapshot->growth_ns, 60 * TOP_SECOND);
    assert_int_equal(snapshot->rows[0].held, 101);
    assert_int_equal(snapshot->rows[0].growth, 60);
    assert_float_equal(snapshot->rows[0].rate, 1.0, 1e-6);
    end(&scene);
}

static void test_shrinking(void **state)
{
    struct scene scene = begin(state);
    struct trace_session *session = builder_session(&scene.builder, scene.orders, 1);
    acquire(&scene, scene.settings, 2);
    (void)look(&scene, 0);
    session->state = TRACE_SLOT_ENDED;
    const struct top_snapshot *snapshot = look(&scene, 1);
    assert_int_equal(row_named(snapshot, ORDERS)->growth, -1);
    assert_int_equal(row_named(snapshot, ORDERS)->held, 0);
    top_model_sort(scene.model, TOP_GROWTH, true);
    assert_string_equal(top_row_name(snapshot, &snapshot->rows[0]), ORDERS);
    end(&scene);
}

static void test_new_site_grew_from_nothing(void **state)
{
    static const struct builder_frame late[] = {{"/srv/trader/late.py", 1, "late"}, {0}};
    struct scene scene = begin(state);
    (void)look(&scene, 0);
    uint32_t ref;
    builder_site(&scene.builder, TRACE_CHECKOUT, builder_stack(&scene.builder, late), &ref);
    acquire(&scene, ref, 6);
    const struct top_snapshot *snapshot = look(&scene, 2);
    assert_int_equal(row_named(snapshot, "late.py:1 late")->growth, 6);
    assert_float_equal(row_named(snapshot, "late.py:1 late")->rate, 3.0, 1e-6);
    end(&scene);
}

static void test_rate_of_one_reading_is_the_average(void **state)
{
    struct scene scene = begin(state);
    acquire(&scene, scene.settings, 1823);
    const struct top_snapshot *snapshot = look(&scene, 0);
    assert_int_equal(snapshot->rate_ns, 0);
    assert_float_equal(snapshot->rows[0].rate, 10.0, 1e-6);
    end(&scene);
}

static void test_sorting(void **state)
{
    struct scene scene = begin(state);
    acquire(&scene, scene.settings, 3);
    acquire(&scene, scene.overview, 5);
    builder_session(&scene.builder, scene.orders, 1); // the oldest
    const struct top_snapshot *snapshot = look(&scene, 0);
    top_model_sort(scene.model, TOP_OLDEST, false);
    assert_order(snapshot, (const char *const[]){ORDERS, OVERVIEW, SETTINGS, NULL});
    top_model_sort(scene.model, TOP_NAME, false);
    assert_order(snapshot, (const char *const[]){ORDERS, OVERVIEW, SETTINGS, NULL});
    top_model_sort(scene.model, TOP_NAME, true);
    assert_order(snapshot, (const char *const[]){SETTINGS, OVERVIEW, ORDERS, NULL});
    top_model_sort(scene.model, TOP_KIND, false);
    assert_order(snapshot, (const char *const[]){ORDERS, OVERVIEW, SETTINGS, NULL});
    top_model_sort(scene.model, TOP_HELD, true);
    assert_order(snapshot, (const char *const[]){ORDERS, SETTINGS, OVERVIEW, NULL});
    snapshot = look(&scene, 1); // stays
    assert_order(snapshot, (const char *const[]){ORDERS, SETTINGS, OVERVIEW, NULL});
    end(&scene);
}

static void test_filter(void **state)
{
    struct scene scene = begin(state);
    const struct top_snapshot *snapshot = look(&scene, 0);
    top_model_filter(scene.model, "orders");
    assert_order(snapshot, (const char *const[]){ORDERS, NULL});
    assert_int_equal(snapshot->all_count, 3);
    top_model_filter(scene.model, "UI/");
    assert_int_equal(snapshot->row_count, 2);
    top_model_filter(scene.model, "nowhere");
    assert_int_equal(snapshot->row_count, 0);
    top_model_filter(scene.model, "");
    assert_int_equal(snapshot->row_count, 3);
    end(&scene);
}

static void test_row_is_found_by_its_id(void **state)
{
    struct scene scene = begin(state);
    const struct top_snapshot *snapshot = look(&scene, 0);
    char id[32];
    (void)snprintf(id, sizeof id, "%s", row_named(snapshot, ORDERS)->id);
    acquire(&scene, scene.orders, 9);
    snapshot = look(&scene, 1);
    assert_int_equal(top_row_find(snapshot, id), 0);
    assert_int_equal(top_row_find(snapshot, "gone"), snapshot->row_count);
    end(&scene);
}

static void test_inherited(void **state)
{
    struct scene scene = begin(state);
    for (int i = 0; i < 4; i++) {
        struct trace_session *session = builder_session(&scene.builder, TRACE_NONE, i);
        session->flags = TRACE_SESSION_INHERITED;
    }
    builder_session(&scene.builder, TRACE_NONE, 1)->flags =
        TRACE_SESSION_INHERITED | TRACE_SESSION_POOLED; // kept by a pool: nobody's
    // Whose place is known, though not its acquire.
    builder_session(&scene.builder, scene.orders, 1)->flags = TRACE_SESSION_INHERITED;
    const struct top_snapshot *snapshot = look(&scene, 0);
    const struct top_row *row = row_named(snapshot, "(open before the trace began)");
    assert_int_equal(row->held, 4);
    assert_int_equal(row->kind, TRACE_HANDLE);
    assert_null(row->site);
    assert_int_equal(row_named(snapshot, ORDERS)->held, 1);
    assert_int_equal(snapshot->inherited_held, 5);
    assert_int_equal(snapshot->held[TRACE_HANDLE], 5);
    end(&scene);
}

static void test_pools(void **state)
{
    struct scene scene = begin(state);
    uint32_t ref;
    struct trace_pool *idle = builder_pool(&scene.builder, "apr_reslist", "idle", 10, 0, &ref);
    struct trace_pool *full = builder_pool(&scene.builder, "sqlalchemy", "full", 10, 20, &ref);
    idle->acquires = 5;
    full->out = 18;
    full->acquires = 100;
    full->high_water = 30;
    (void)look(&scene, 0);
    full->acquires = 150;
    const struct top_snapshot *snapshot = look(&scene, 2);
    assert_int_equal(snapshot->pool_count, 2);
    assert_string_equal(snapshot->pools[0].pool->name, "full");
    assert_float_equal(snapshot->pools[0].rate, 25.0, 1e-6);
    assert_float_equal(snapshot->pools[1].rate, 0.0, 1e-6);
    struct arena *arena = arena_new();
    struct top_pool_line line = top_pool_line(arena, &snapshot->pools[0], 79);
    assert_non_null(strstr(line.name, " 10+20 "));
    assert_non_null(strstr(line.bar, "18/30]"));
    arena_free(arena);
    end(&scene);
}

// Names come out the same whether or not stacks were resolved in an earlier reading.
static void test_cache_changes_no_name(void **state)
{
    struct scene scene = begin(state);
    acquire(&scene, scene.settings, 1);
    (void)look(&scene, 0);
    const struct top_snapshot *again = look(&scene, 1);
    const struct reading reading = {.sources = &scene.sources, .complain = complain};
    unsigned traces;
    struct profile *fresh = reading_profile(&reading, &traces);
    assert_int_equal(fresh->sites.count, again->all_count);
    for (size_t i = 0; i < fresh->sites.count; i++) {
        const struct profile_site *site = fresh->sites.item[i];
        size_t row = top_row_find(again, site->id);
        assert_true(row < again->row_count);
        assert_string_equal(top_row_name(again, &again->rows[row]),
                            sheet_frame(fresh->arena, site->name, "/srv/trader"));
        assert_int_equal(again->rows[row].site->stack->count, site->stack->count);
    }
    profile_free(fresh);
    end(&scene);
}

static void test_layouts(void **state)
{
    (void)state;
    for (unsigned width = 20; width < 300; width++) {
        struct top_layout layout = top_layout_fit(width);
        unsigned sum = layout.count - 1; // spaces
        for (unsigned i = 0; i < layout.count; i++)
            sum += layout.width[i];
        assert_true(sum <= width);
        assert_int_equal(layout.column[layout.count - 1]->key, TOP_NAME);
        assert_int_equal(layout.column[0]->key, TOP_HELD);
    }
    assert_int_equal(top_layout_fit(79).count, 6);
    assert_int_equal(top_layout_fit(200).count, TOP_COLUMNS_MOST);
    // Each column can be reached, in both directions.
    struct top_layout layout = top_layout_fit(200);
    enum top_key key = TOP_HELD;
    for (int i = 0; i < TOP_KEYS; i++)
        key = top_layout_next(&layout, key, 1);
    assert_int_equal(key, TOP_HELD);
    assert_int_equal(top_layout_next(&layout, TOP_HELD, -1), TOP_NAME);
}

static void test_samples_at_any_interval(void **state)
{
    (void)state;
    static const double intervals[] = {0.1, 0.25, 1, 1.01, 7, 60, 90};
    for (size_t i = 0; i < sizeof intervals / sizeof intervals[0]; i++) {
        struct top_track track = {0};
        uint64_t now = 0;
        for (unsigned n = 0; n < 2000; n++) {
            now = (uint64_t)(n * intervals[i] * (double)TOP_SECOND);
            top_track_add(&track, now, n, n);
        }
        // Within a sample of a minute, or one interval if that is longer.
        double minute = 60 / intervals[i] < 1 ? 1 : 60 / intervals[i];
        double growth = (double)top_track_growth(&track, now);
        assert_true(growth >= minute - 1 && growth <= minute + 1 + 1.2 / intervals[i]);
        assert_true(top_track_rate(&track, now) * intervals[i] > 0.99);
        assert_true(top_track_rate(&track, now) * intervals[i] < 1.01);
    }
}

static void test_timeline_of_a_site(void **state)
{
    (void)state;
    struct arena *arena = arena_new();
    struct profile_process process = {.seconds_ns = 80 * TOP_SECOND};
    struct profile_site site = {.growth = {.process = &process,
                                           .origin_ns = (int64_t)(40 * TOP_SECOND),
                                           .width_ns = 10 * TOP_SECOND,
                                           .count = 4,
                                           .least_out = {0, 1, 3, 7}}};
    // Nothing before the first acquire; in the locale "C": ASCII.
    assert_string_equal(top_timeline_site(arena, &site, 8), "    _:=#");
    memcpy(site.growth.least_out, (uint64_t[]){7, 3, 1, 0}, 4 * sizeof(uint64_t));
    assert_string_equal(top_timeline_site(arena, &site, 8), "    #=:_");
    assert_string_equal(top_timeline_site(arena, &site, 4), "  #_"); // the smaller of two
    assert_string_equal(top_timeline_site(arena, &(struct profile_site){0}, 8), "");
    arena_free(arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_held_and_its_growth, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_growth_is_of_the_last_minute, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_shrinking, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_new_site_grew_from_nothing, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_rate_of_one_reading_is_the_average, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_sorting, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_filter, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_row_is_found_by_its_id, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_inherited, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_pools, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_cache_changes_no_name, set_up, tear_down),
        cmocka_unit_test(test_layouts),
        cmocka_unit_test(test_samples_at_any_interval),
        cmocka_unit_test(test_timeline_of_a_site),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
