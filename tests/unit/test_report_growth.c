// Reports on what was out over time: timelines of several stacks and processes brought together,
// what counts as growing, and what is overdue.
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <unistd.h>

#include "report_fixture.h"

static const struct builder_frame frames_a[] = {{"/srv/trader/a.py", 10, "leak"}, {0}};

// A site whose least numbers are these, `width` sixteenths of a second each, from `first` seconds
// after the start on.
static struct trace_site *add_timeline(struct trace_builder *builder, double first, uint32_t width,
                                       const uint32_t *least, uint32_t count)
{
    uint32_t ref = add_site(builder, frames_a, 1, 0);
    struct trace_site *site = trace_record(&builder->writer, TRACE_SITES, ref);
    site->first_ns = BUILDER_START + (uint64_t)(first * 1e9);
    site->out = least[count - 1];
    site->growth.width = width;
    site->growth.reached = count - 1;
    memcpy(site->growth.least_out, least, count * sizeof *least);
    for (uint32_t i = 0; i < site->out; i++)
        builder_session(builder, ref, first);
    return site;
}

static void begin(struct trace_builder *builder, const char *path, double end)
{
    builder_begin(builder, path);
    builder->writer.header->end_ns = BUILDER_START + (uint64_t)(end * 1e9);
}

// The numbers as text, with the width and the origin in front.
static const char *timeline_of(const json_t *root)
{
    static char text[512];
    const json_t *timeline = json_object_get(site_at(root, "a.py", 10), "timeline");
    if (!timeline)
        return "none";
    int used =
        snprintf(text, sizeof text, "%g+%g:", json_real_value(json_object_get(timeline, "from")),
                 json_real_value(json_object_get(timeline, "step")));
    size_t index;
    const json_t *value;
    json_array_foreach(json_object_get(timeline, "least_out"), index, value) used +=
        snprintf(text + used, sizeof text - (size_t)used, " %d", (int)json_integer_value(value));
    if (json_is_true(json_object_get(timeline, "grows")))
        strcat(text, " grows");
    return text;
}

static void assert_timeline(const char *const *paths, size_t count, const char *expected)
{
    json_t *root = json_of(&(struct report_request){.sources = paths, .source_count = count}, NULL);
    assert_string_equal(timeline_of(root), expected);
    json_decref(root);
}

static void one_timeline_is_as_it_was(void **state)
{
    struct fixture *fixture = *state;
    struct trace_builder builder;
    const uint32_t least[] = {0, 1, 2, 2, 4};
    begin(&builder, fixture->path, 6.5); // 4.5 s after the first acquire
    add_timeline(&builder, 2, 16, least, 5);
    builder_end(&builder);
    assert_timeline((const char *const[]){fixture->path}, 1, "2+1: 0 1 2 2 4");
}

// What was not written since stayed as it was; the resolution goes down until all of it fits.
static void it_reaches_to_the_end(void **state)
{
    struct fixture *fixture = *state;
    struct trace_builder builder;
    const uint32_t least[] = {0, 1, 2, 3};
    begin(&builder, fixture->path, 2 + 40);
    add_timeline(&builder, 2, 16, least, 4);
    builder_end(&builder);
    assert_timeline((const char *const[]){fixture->path}, 1,
                    "2+2: 0 2 3 3 3 3 3 3 3 3 3 3 3 3 3 3 3 3 3 3");
}

static void several_stacks_are_added_up(void **state)
{
    struct fixture *fixture = *state;
    struct trace_builder builder;
    const uint32_t slow[] = {0, 1, 2, 3};
    const uint32_t fast[] = {0, 5, 6, 7};
    begin(&builder, fixture->path, 8);
    add_timeline(&builder, 0, 32, slow, 4); // 2 s each
    add_timeline(&builder, 3, 16, fast, 4); // 1 s each
    builder_end(&builder);
    // [2, 4): before the second one began; [4, 6): the smaller of 5 and 6; then the end.
    assert_timeline((const char *const[]){fixture->path}, 1, "0+2: 0 1 7 10");
}

// A process that began 10 s later, and ended later: what the first one leaked stays leaked.
static void several_processes_are_added_up(void **state)
{
    struct fixture *fixture = *state;
    struct trace_builder builder;
    const uint32_t least[] = {0, 2, 4, 4};
    for (uint32_t i = 0; i < 2; i++) {
        begin(&builder, i ? fixture->other : fixture->path, 8);
        builder.writer.header->pid += i;
        builder.writer.header->start_realtime += 10 * i * BUILDER_SECOND;
        add_timeline(&builder, 0, 32, least, 4);
        builder_end(&builder);
    }
    const char *const paths[] = {fixture->other, fixture->path};
    assert_timeline(paths, 2,
                    "0+2: 0 2 4 4 0 0 2 4 4"); // the first has ended when the other begins
}

// Runs of a program that leaks one each, one after the other, are no growth.
static void growth_ends_with_its_process(void **state)
{
    struct fixture *fixture = *state;
    struct trace_builder builder;
    const uint32_t least[] = {0, 1};
    char names[14][sizeof fixture->path + 8];
    const char *paths[14];
    for (uint32_t i = 0; i < 14; i++) {
        snprintf(names[i], sizeof names[i], "%s.%u", fixture->path, i);
        paths[i] = names[i];
        begin(&builder, paths[i], 2);
        builder.writer.header->pid += i;
        builder.writer.header->start_realtime += 3 * i * BUILDER_SECOND;
        add_timeline(&builder, 0, 16, least, 2);
        builder_end(&builder);
    }
    json_t *root = json_of(&(struct report_request){.sources = paths, .source_count = 14}, NULL);
    const json_t *site = site_at(root, "a.py", 10);
    assert_int_equal(number(site, "never_closed"), 14);
    assert_false(json_is_true(json_object_get(json_object_get(site, "timeline"), "grows")));
    json_decref(root);
    for (uint32_t i = 0; i < 14; i++)
        assert_int_equal(unlink(paths[i]), 0);
}

// What interpreter shutdown closed was out until then, and nothing after that counts.
static void shutdown_is_the_end(void **state)
{
    struct fixture *fixture = *state;
    struct trace_builder builder;
    const uint32_t least[] = {0, 1, 2, 2};
    begin(&builder, fixture->path, 9);
    builder.writer.header->shutdown_ns = BUILDER_START + 7 * BUILDER_SECOND / 2;
    struct trace_site *site = add_timeline(&builder, 0, 16, least, 4);
    site->ended[TRACE_SHUTDOWN] = 3;
    site->out = 0;
    builder_end(&builder);
    assert_timeline((const char *const[]){fixture->path}, 1, "0+1: 0 1 2 3");
}

static void without_a_timeline_there_is_none(void **state)
{
    struct fixture *fixture = *state;
    struct trace_builder builder;
    builder_begin(&builder, fixture->path);
    add_site(&builder, frames_a, 1, 1);
    builder_end(&builder);
    assert_timeline((const char *const[]){fixture->path}, 1, "none");
    char *text = text_of_file(fixture->path);
    assert_null(strstr(text, "held over time"));
    free(text);
}

static void growing_is_said_when_it_grows(void **state)
{
    struct fixture *fixture = *state;
    static const struct {
        uint32_t least[12];
        bool grows;
    } cases[] = {
        {{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, true},
        {{0, 0, 0, 0, 1, 1, 1, 2, 2, 3, 3, 3}, true},
        {{0, 9, 18, 27, 26, 35, 36, 45, 44, 53, 60, 60}, true}, // hardly ever falls
        {{0, 8, 9, 10, 10, 10, 10, 10, 10, 10, 10, 10}, false}, // filled up at the beginning
        {{0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5}, false},          // one burst at the end
        {{0, 5, 10, 0, 5, 10, 0, 5, 10, 0, 5, 10}, false},      // a collector comes by
        {{9, 8, 7, 6, 5, 4, 3, 3, 3, 3, 3, 3}, false},
        {{1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3}, false}, // two more are no trend
    };
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct trace_builder builder;
        char path[128];
        snprintf(path, sizeof path, "%s.%zu", fixture->path, i);
        begin(&builder, path, 12);
        add_timeline(&builder, 0, 16, cases[i].least, 12);
        builder_end(&builder);
        json_t *root = json_of_file(path);
        if ((strstr(timeline_of(root), "grows") != NULL) != cases[i].grows)
            fail_msg("%zu: %s", i, timeline_of(root));
        json_decref(root);
        char *text = text_of_file(path);
        assert_non_null(strstr(text, "held over time"));
        assert_int_equal(strstr(text, "grew") != NULL, cases[i].grows);
        free(text);
        remove(path);
    }
}

static void the_line_has_few_numbers(void **state)
{
    struct fixture *fixture = *state;
    struct trace_builder builder;
    uint32_t least[29];
    for (uint32_t i = 0; i < 29; i++)
        least[i] = i;
    begin(&builder, fixture->path, 29);
    add_timeline(&builder, 0, 16, least, 29);
    builder_end(&builder);
    char *text = text_of_file(fixture->path);
    assert_non_null(strstr(text,
                           "      held over time ▁▁▂▂▂▂▃▃▃▃▄▄▄▄▅▅▅▅▆▆▆▆▇▇▇▇███ 0 4 8 12 16 20 24 "
                           "(minimum in each 4.0 s)\n      28 at the end · grew\n"));
    free(text);
}

// By the recorder's own threshold, or the one that is asked for.
static void overdue_is_what_is_out_for_too_long(void **state)
{
    struct fixture *fixture = *state;
    struct trace_builder builder;
    uint32_t ref;
    builder_begin(&builder, fixture->path); // of 182.3 s
    builder.writer.header->threshold_ns = 30 * BUILDER_SECOND;
    ref = add_site(&builder, frames_a, 1, 0);
    for (int i = 0; i < 4; i++)
        builder_session(&builder, ref, 40.0 * i + 50); // out for 132.3, 92.3, 52.3, 12.3 s
    builder_session(&builder, ref, 10)->flags = TRACE_SESSION_INHERITED;
    builder_session(&builder, ref, 10)->flags = TRACE_SESSION_POOLED;
    builder_end(&builder);
    const char *const paths[] = {fixture->path};
    json_t *root = json_of_file(fixture->path);
    assert_int_equal(number(site_at(root, "a.py", 10), "overdue"), 3);
    json_decref(root);
    root = json_of(&(struct report_request){.sources = paths,
                                            .source_count = 1,
                                            .threshold_ns = 60 * BUILDER_SECOND},
                   NULL);
    assert_int_equal(number(site_at(root, "a.py", 10), "overdue"), 2);
    json_decref(root);
    char *text = text_of_file(fixture->path);
    assert_non_null(strstr(text, " · overdue 3"));
    free(text);
    text = printed(&(struct report_request){.sources = paths, .source_count = 1}, NULL,
                   report_print_held);
    size_t marked = 0;
    for (const char *at = text; (at = strstr(at, "overdue")); at++)
        marked++;
    assert_int_equal(marked, 3);
    free(text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(one_timeline_is_as_it_was, set_up, tear_down),
        cmocka_unit_test_setup_teardown(it_reaches_to_the_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(several_stacks_are_added_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(several_processes_are_added_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(growth_ends_with_its_process, set_up, tear_down),
        cmocka_unit_test_setup_teardown(shutdown_is_the_end, set_up, tear_down),
        cmocka_unit_test_setup_teardown(without_a_timeline_there_is_none, set_up, tear_down),
        cmocka_unit_test_setup_teardown(growing_is_said_when_it_grows, set_up, tear_down),
        cmocka_unit_test_setup_teardown(the_line_has_few_numbers, set_up, tear_down),
        cmocka_unit_test_setup_teardown(overdue_is_what_is_out_for_too_long, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
