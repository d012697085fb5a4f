// Counting names, holders and tallies, and reading moments and texts of a trace: what all parts of
// the profile's builder need. See build.h and profile.h.
#include <string.h>

#include "report/profile/build.h"

enum { NAMES_KEPT = 256 }; // different threads, databases ... of one site: enough to be read

uint64_t profile_since_start(const struct source *source, uint64_t at_ns)
{
    uint64_t start = source->trace->header.start_ns;
    return at_ns > start ? at_ns - start : 0;
}

const char *profile_text(const struct profile_builder *builder, const struct source *source,
                         uint32_t ref)
{
    const char *text = reader_string(source->trace, ref);
    return text[0] ? arena_text(builder->profile->arena, text) : "";
}

void profile_count_name(struct arena *arena, profile_names *names, const char *name, uint64_t count)
{
    if (name[0] == 0 || count == 0)
        return;
    size_t i = 0;
    while (i < names->count && strcmp(names->item[i].name, name) != 0)
        i++;
    if (i == NAMES_KEPT)
        return;
    if (i == names->count)
        *LIST_ADD(arena, names) = (struct profile_name){.name = name};
    names->item[i].count += count;
    for (; i > 0 && names->item[i].count > names->item[i - 1].count; i--) { // most frequent first
        struct profile_name swapped = names->item[i];
        names->item[i] = names->item[i - 1];
        names->item[i - 1] = swapped;
    }
}

void profile_add_holder(struct arena *arena, profile_holders *holders, struct profile_site *site,
                        uint64_t count, uint64_t longest_ns)
{
    if (count == 0)
        return;
    size_t i = 0;
    while (i < holders->count && holders->item[i].site != site)
        i++;
    if (i == holders->count)
        *LIST_ADD(arena, holders) = (struct profile_holder){.site = site};
    holders->item[i].count += count;
    if (holders->item[i].longest_ns < longest_ns)
        holders->item[i].longest_ns = longest_ns;
}

static int compare_holders(const void *a, const void *b)
{
    const struct profile_holder *x = a;
    const struct profile_holder *y = b;
    if (x->count != y->count)
        return x->count > y->count ? -1 : 1;
    return strcmp(x->site ? x->site->id : "", y->site ? y->site->id : "");
}

void profile_sort_holders(profile_holders *holders)
{
    LIST_SORT(holders, compare_holders);
}

void profile_tally_add(struct profile_tally *to, const struct profile_tally *from)
{
    // A tally is nothing but numbers of one type.
    uint64_t *sum = (uint64_t *)to;
    const uint64_t *number = (const uint64_t *)from;
    for (size_t i = 0; i < sizeof *to / sizeof *sum; i++)
        sum[i] += number[i];
}
