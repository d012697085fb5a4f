// What the tests of reports share: see report_fixture.h.
#include "report_fixture.h"

#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <sys/stat.h>
#include <unistd.h>

int set_up(void **state)
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

int tear_down(void **state)
{
    struct fixture *fixture = *state;
    unlink(fixture->path);
    unlink(fixture->other);
    unlink(fixture->code);
    rmdir(fixture->folder);
    return 0;
}

void write_text(const char *path, const char *text)
{
    FILE *file = fopen(path, "we");
    assert_non_null(file);
    assert_true(fputs(text, file) >= 0);
    assert_int_equal(fclose(file), 0);
}

char *printed(const struct report_request *request, struct report_outcome *outcome,
              int (*print)(const struct report_request *, FILE *, struct report_outcome *))
{
    char *text = NULL;
    size_t bytes = 0;
    assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
    FILE *out = open_memstream(&text, &bytes);
    assert_int_equal(print(request, out, outcome), 0);
    fclose(out);
    return text;
}

json_t *json_of(const struct report_request *request, struct report_outcome *outcome)
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

json_t *json_of_file(const char *path)
{
    const char *const sources[] = {path};
    return json_of(&(struct report_request){.sources = sources, .source_count = 1}, NULL);
}

json_int_t number(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    if (!json_is_integer(value))
        fail_msg("%s is missing", key);
    return json_integer_value(value);
}

const char *text_of(const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    return text ? text : "";
}

const json_t *site_at(const json_t *root, const char *file, json_int_t line)
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

const struct builder_frame library_frame = {
    "/usr/lib/python3/dist-packages/sqlalchemy/pool/base.py", 100, "Pool.connect"};

enum { MOST = 8 };

uint32_t add_site(struct trace_builder *builder, const struct builder_frame *frames,
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

char *text_of_file(const char *path)
{
    const char *const sources[] = {path};
    return printed(&(struct report_request){.sources = sources, .source_count = 1}, NULL,
                   report_print);
}
