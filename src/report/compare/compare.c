// Finding entries again: see compare.h.
#include "report/compare/compare.h"

#include <stdlib.h>
#include <string.h>

// An entry of either side while it is looked for.
struct candidate {
    const struct entry *entry;
    const struct entry *match;
    bool before;
    bool ambiguous; // some of its equals are known, and not which
};

struct matching {
    struct candidate *all; // of both sides
    size_t count;
};

static int compare_numbers(unsigned a, unsigned b)
{
    return (a > b) - (a < b);
}

static int compare_functions(const struct candidate *a, const struct candidate *b)
{
    int order = strcmp(a->entry->hash, b->entry->hash);
    return order ? order : strcmp(a->entry->file, b->entry->file);
}

static int compare_lines(const struct candidate *a, const struct candidate *b)
{
    int order = strcmp(a->entry->hash, b->entry->hash);
    return order ? order : compare_numbers(a->entry->ordinal, b->entry->ordinal);
}

static int compare_candidates(const void *a, const void *b)
{
    const struct candidate *x = a, *y = b;
    int order = compare_functions(x, y);
    if (order == 0)
        order = compare_numbers(x->before, y->before);
    if (order == 0)
        order = compare_numbers(x->entry->ordinal, y->entry->ordinal);
    return order ? order : compare_numbers(x->entry->line, y->entry->line);
}

static int compare_by_line(const void *a, const void *b)
{
    return compare_lines(a, b);
}

static void join(struct candidate *before, struct candidate *after)
{
    before->match = after->entry;
    after->match = before->entry;
}

// How many of them leak.
static size_t count_leaks(const struct candidate *candidate, size_t count)
{
    size_t leaks = 0;
    for (size_t i = 0; i < count; i++)
        leaks += candidate[i].entry->share > 0;
    return leaks;
}

// The equal lines of one function have become more or fewer. Which is which can be told only if all
// of them leaked, and, of more, all do.
static void match_changed(struct candidate *after, size_t after_count, struct candidate *before,
                          size_t before_count)
{
    const size_t leaked = count_leaks(before, before_count),
                 leaks = count_leaks(after, after_count);
    const bool all_leaked = leaked == before->entry->equals;
    const bool more = after->entry->equals > before->entry->equals;
    const bool known = all_leaked && (!more || leaks == after->entry->equals);
    size_t old = 0;
    for (size_t i = 0; i < after_count; i++) {
        if (after[i].entry->share == 0)
            continue;
        after[i].ambiguous = !known;
        if (known && old < before_count)
            join(&before[old++], &after[i]);
    }
    for (size_t i = 0; i < before_count; i++) // nor do they go for moved
        before[i].ambiguous = !known;
}

static void match_same(struct candidate *after, size_t after_count, struct candidate *before,
                       size_t before_count)
{
    size_t old = 0;
    for (size_t i = 0; i < after_count; i++) {
        while (old < before_count && before[old].entry->ordinal < after[i].entry->ordinal)
            old++;
        if (old < before_count && before[old].entry->ordinal == after[i].entry->ordinal)
            join(&before[old++], &after[i]);
    }
}

// Of one hash, in one file: first the new ones, then the old ones.
static void match_function(struct candidate *group, size_t count)
{
    size_t after = 0;
    while (after < count && !group[after].before)
        after++;
    if (after == 0 || after == count)
        return;
    if (group[0].entry->equals == group[after].entry->equals)
        match_same(group, after, group + after, count - after);
    else
        match_changed(group, after, group + after, count - after);
}

// Of one hash and number, in several files: what is gone from one and new in one other has moved.
static void match_moved(struct candidate *group, size_t count)
{
    struct candidate *only[2] = {NULL, NULL};
    for (size_t i = 0; i < count; i++) {
        if (group[i].match || group[i].ambiguous)
            continue;
        if (only[group[i].before])
            return;
        only[group[i].before] = &group[i];
    }
    if (only[0] && only[1] && only[0]->entry->equals == only[1]->entry->equals)
        join(only[1], only[0]);
}

// Calls `match` for each group of neighbours that are equal by `compare_two`.
static void each_group(const struct matching *matching,
                       int (*compare_two)(const struct candidate *, const struct candidate *),
                       void (*match)(struct candidate *, size_t))
{
    for (size_t from = 0, to; from < matching->count; from = to) {
        to = from + 1;
        while (to < matching->count && compare_two(&matching->all[from], &matching->all[to]) == 0)
            to++;
        match(&matching->all[from], to - from);
    }
}

static void add_change(struct arena *arena, struct comparison *comparison,
                       const struct candidate *candidate)
{
    const struct entry *match = candidate->match;
    struct change change = {.change = PROFILE_KNOWN};
    change.after = candidate->before ? match : candidate->entry;
    change.before = candidate->before ? candidate->entry : match;
    const unsigned was = change.before ? change.before->share : 0;
    const unsigned is = change.after ? change.after->share : 0;
    if ((candidate->before && match) || (was == 0 && is == 0))
        return;
    change.moved =
        change.before && change.after && strcmp(change.before->file, change.after->file) != 0;
    if (was == 0) {
        change.change = PROFILE_NEW;
    } else if (is == 0) {
        change.change = PROFILE_GONE;
    } else {
        change.outcomes = change.after->outcomes & ~change.before->outcomes;
        if (is > was || change.outcomes)
            change.change = PROFILE_WORSE;
        else if (is < was || change.before->outcomes != change.after->outcomes)
            change.change = PROFILE_BETTER;
    }
    comparison->count[change.change]++;
    *LIST_ADD(arena, &comparison->changes) = change;
}

static int compare_changes(const void *a, const void *b)
{
    const struct change *x = a, *y = b;
    if (x->change != y->change)
        return x->change < y->change ? -1 : 1;
    const struct entry *one = x->after ? x->after : x->before;
    const struct entry *two = y->after ? y->after : y->before;
    if (one->never_closed != two->never_closed)
        return one->never_closed > two->never_closed ? -1 : 1;
    int order = strcmp(one->file, two->file);
    if (order == 0)
        order = compare_numbers(one->line, two->line);
    if (order == 0)
        order = strcmp(one->name, two->name);
    return order ? order : compare_numbers(one->ordinal, two->ordinal);
}

struct comparison *compare(struct arena *arena, const struct entries *before,
                           const struct entries *after)
{
    struct matching matching = {0};
    struct comparison *comparison = arena_take(arena, sizeof *comparison);
    const size_t count = before->list.count + after->list.count;
    comparison->before = before;
    comparison->after = after;
    matching.all = arena_take(arena, (count + 1) * sizeof *matching.all);
    for (size_t i = 0; i < before->list.count; i++)
        matching.all[matching.count++] =
            (struct candidate){.entry = &before->list.item[i], .before = true};
    for (size_t i = 0; i < after->list.count; i++)
        matching.all[matching.count++] = (struct candidate){.entry = &after->list.item[i]};
    list_sort(matching.all, count, sizeof *matching.all, compare_candidates);
    each_group(&matching, compare_functions, match_function);
    list_sort(matching.all, count, sizeof *matching.all, compare_by_line);
    each_group(&matching, compare_lines, match_moved);
    for (size_t i = 0; i < count; i++)
        add_change(arena, comparison, &matching.all[i]);
    LIST_SORT(&comparison->changes, compare_changes);
    return comparison;
}
