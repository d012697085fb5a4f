// Putting never-closed sessions together: see groups.h.
#include "report/profile/groups.h"

#include <stdlib.h>
#include <string.h>

#include "report/code/owners.h"

int group_by_name(const char *name)
{
    static const char *const names[] = {
        [GROUP_BY_SITE] = "site", [GROUP_BY_FILE] = "file", [GROUP_BY_THREAD] = "thread",
        [GROUP_BY_POOL] = "pool", [GROUP_BY_TEST] = "test",
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (strcmp(names[i], name) == 0)
            return (int)i;
    return -1;
}

static struct group *find_group(struct arena *arena, struct groups *groups, const char *name)
{
    for (size_t i = 0; i < groups->count; i++)
        if (strcmp(groups->item[i].name, name) == 0)
            return &groups->item[i];
    struct group *group = LIST_ADD(arena, groups);
    *group = (struct group){.name = name};
    return group;
}

static void count_in_group(struct arena *arena, struct groups *groups, const char *name,
                           struct profile_site *site, uint64_t never_closed, uint64_t longest_ns)
{
    struct group *group = find_group(arena, groups, name);
    group->never_closed += never_closed;
    if (group->longest_ns < longest_ns)
        group->longest_ns = longest_ns;
    profile_add_holder(arena, &group->holders, site, never_closed, longest_ns);
}

static const char *site_group(struct arena *arena, const struct profile_site *site,
                              enum group_by by)
{
    if (by == GROUP_BY_POOL)
        return site->pool ? profile_pool_name(arena, site->pool) : "(no pool)";
    if (!site->name)
        return "(no backtrace)";
    if (site->name->file)
        return owners_relative_path(site->name->file, site->process->header->directory);
    return site->name->module ? site->name->module : "(no module)";
}

static void group_sites(const struct profile *profile, enum group_by by, struct groups *groups)
{
    for (size_t i = 0; i < profile->sites.count; i++) {
        struct profile_site *site = profile->sites.item[i];
        const char *name = site_group(profile->arena, site, by);
        if (site->tally.never_closed > 0)
            count_in_group(profile->arena, groups, name, site, site->tally.never_closed,
                           site->longest_ns);
    }
    for (size_t i = 0; i < profile->sites.count; i++) {
        const struct profile_site *site = profile->sites.item[i];
        const char *name = site_group(profile->arena, site, by);
        for (size_t j = 0; j < groups->count; j++)
            if (strcmp(groups->item[j].name, name) == 0)
                groups->item[j].opened += site->tally.opened - site->tally.pooled;
    }
}

static void group_tests(const struct profile *profile, struct groups *groups)
{
    for (size_t i = 0; i < profile->sites.count; i++) {
        struct profile_site *site = profile->sites.item[i];
        for (size_t j = 0; j < site->by_test.count; j++) {
            const struct profile_test *test = &site->by_test.item[j];
            count_in_group(profile->arena, groups, test->name, site, test->never_closed,
                           test->longest_ns);
        }
        for (size_t j = 0; j < site->untested.count; j++) {
            const struct profile_untested *untested = &site->untested.item[j];
            const char *name = untested->process->has_tests
                                   ? "(no test)"
                                   : profile_process_as_test(profile->arena, untested->process);
            count_in_group(profile->arena, groups, name, site, untested->never_closed,
                           untested->longest_ns);
        }
    }
}

// Threads are known of each session still out; of ended ones the trace keeps numbers.
static void group_threads(const struct profile *profile, struct groups *groups)
{
    for (size_t i = 0; i < profile->sessions.count; i++) {
        const struct profile_session *session = profile->sessions.item[i];
        if (!session->never_closed)
            continue;
        const char *name = session->thread[0] ? session->thread : "(unnamed thread)";
        count_in_group(profile->arena, groups, name, session->site, 1, session->age_ns);
    }
    for (size_t i = 0; i < profile->sites.count; i++) {
        struct profile_site *site = profile->sites.item[i];
        if (site->tally.reclaimed > 0)
            count_in_group(profile->arena, groups, "(reclaimed, thread unknown)", site,
                           site->tally.reclaimed, site->longest_ns);
    }
}

static int compare_groups(const void *a, const void *b)
{
    const struct group *x = a;
    const struct group *y = b;
    if (x->never_closed != y->never_closed)
        return x->never_closed > y->never_closed ? -1 : 1;
    return strcmp(x->name, y->name);
}

struct groups groups_of(const struct profile *profile, enum group_by by)
{
    struct groups groups = {0};
    if (by == GROUP_BY_TEST)
        group_tests(profile, &groups);
    else if (by == GROUP_BY_THREAD)
        group_threads(profile, &groups);
    else
        group_sites(profile, by, &groups);
    LIST_SORT(&groups, compare_groups);
    for (size_t i = 0; i < groups.count; i++)
        profile_sort_holders(&groups.item[i].holders);
    return groups;
}
