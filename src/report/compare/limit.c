// Comparing a profile with limits: see limit.h.
#include "report/compare/limit.h"

#include <stdlib.h>
#include <string.h>

#include "report/code/map.h"
#include "report/profile/suppressions.h"
#include "shared/options.h"

static bool parse_most(const char *text, bool held, uint64_t *most)
{
    char *end;
    if (held)
        return option_duration(text, most) && *most > 0;
    if (text[0] < '0' || text[0] > '9')
        return false;
    *most = strtoull(text, &end, 10);
    return *end == 0 && *most < INT64_MAX;
}

const char *limit_parse(struct arena *arena, const char *text, bool held, struct limit *limit)
{
    const char *equals = strrchr(text, '=');
    *limit = (struct limit){.of = LIMIT_ALL, .pattern = "", .held = held};
    if (strncmp(text, "pool:", 5) == 0)
        limit->of = LIMIT_POOL;
    else if (strncmp(text, "test:", 5) == 0)
        limit->of = LIMIT_TEST;
    if (limit->of != LIMIT_ALL) {
        if (!equals || equals == text + 5)
            return held ? "pool:NAME=TIME or test:NAME=TIME" : "pool:NAME=N or test:NAME=N";
        limit->pattern = arena_text_part(arena, text + 5, (size_t)(equals - text - 5));
        text = equals + 1;
    }
    if (parse_most(text, held, &limit->most))
        return NULL;
    return held ? "a time such as 30s, 500ms or 2m" : "a number of sessions";
}

// What a pool or a test has of what is limited.
struct subject {
    const char *name;
    uint64_t never_closed, longest_ns;
};

struct subjects {
    struct arena *arena;
    struct map by_name;
    LIST(struct subject *) list;
};

static void count(struct subjects *subjects, const char *name, uint64_t never_closed,
                  uint64_t longest_ns)
{
    struct subject *subject = map_get_text(&subjects->by_name, name);
    if (!subject) {
        subject = arena_take(subjects->arena, sizeof *subject);
        subject->name = name;
        map_add_text(subjects->arena, &subjects->by_name, name, subject);
        *LIST_ADD(subjects->arena, &subjects->list) = subject;
    }
    subject->never_closed += never_closed;
    if (longest_ns > subject->longest_ns)
        subject->longest_ns = longest_ns;
}

static void count_tests(struct subjects *subjects, const struct profile_site *site)
{
    for (size_t i = 0; i < site->by_test.count; i++)
        count(subjects, site->by_test.item[i].name, site->by_test.item[i].never_closed,
              site->by_test.item[i].longest_ns);
    for (size_t i = 0; i < site->untested.count; i++) {
        const struct profile_untested *untested = &site->untested.item[i];
        if (!untested->process->has_tests)
            count(subjects, profile_process_as_test(subjects->arena, untested->process),
                  untested->never_closed, untested->longest_ns);
    }
}

static void find_subjects(const struct profile *profile, enum limit_of of,
                          struct subjects *subjects)
{
    for (size_t i = 0; i < profile->sites.count; i++) {
        const struct profile_site *site = profile->sites.item[i];
        if (site->kind == TRACE_STATEMENT)
            continue;
        if (of == LIMIT_TEST)
            count_tests(subjects, site);
        else if (of == LIMIT_ALL)
            count(subjects, "", site->tally.never_closed, site->longest_ns);
        else if (site->pool)
            count(subjects, profile_pool_name(profile->arena, site->pool), site->tally.never_closed,
                  site->longest_ns);
    }
}

static void check(struct profile *profile, const struct limit *limit,
                  const struct subjects *subjects)
{
    for (size_t i = 0; i < subjects->list.count; i++) {
        const struct subject *subject = subjects->list.item[i];
        const uint64_t value = limit->held ? subject->longest_ns : subject->never_closed;
        if (value > limit->most && suppression_fits(limit->pattern, subject->name))
            *LIST_ADD(profile->arena, &profile->excesses) = (struct profile_excess){
                .of = limit->of == LIMIT_POOL   ? "pool"
                      : limit->of == LIMIT_TEST ? "test"
                                                : "",
                .name = subject->name,
                .held = limit->held,
                .value = value,
                .most = limit->most,
            };
    }
}

void limits_check(struct profile *profile, const limit_list *limits)
{
    for (size_t i = 0; i < limits->count; i++) {
        struct subjects subjects = {.arena = profile->arena};
        find_subjects(profile, limits->item[i].of, &subjects);
        check(profile, &limits->item[i], &subjects);
        map_clear(&subjects.by_name);
    }
}
