// Entries of a profile, and what their words are: see entry.h.
#include "report/compare/entry.h"

#include <string.h>

const char *entry_outcome_name(unsigned bit)
{
    return bit == ENTRY_LEFT ? "left open" : bit == ENTRY_REFUSED ? "close refused" : "zombie";
}

static unsigned share_of(uint64_t never_closed, uint64_t judged)
{
    if (judged < never_closed)
        judged = never_closed; // a damaged trace
    return never_closed ? (unsigned)((never_closed * 100 + judged - 1) / judged) : 0;
}

static struct entry entry_of(const struct profile *profile, struct profile_site *site,
                             const struct site_key *key)
{
    const struct profile_tally *tally = &site->tally;
    return (struct entry){
        .hash = key->hash,
        .ordinal = key->ordinal,
        .equals = key->equals,
        .file = key->file,
        .kind = profile_kind_name(site->kind),
        .name = key->name,
        .code = site_key_without_literals(profile->arena, key->code),
        .line = site->name ? site->name->line : 0,
        .judged = profile_judged(tally),
        .never_closed = tally->never_closed,
        .share = share_of(tally->never_closed, profile_judged(tally)),
        .outcomes = (tally->live + tally->reclaimed > 0 ? ENTRY_LEFT : 0) |
                    (tally->refused > 0 ? ENTRY_REFUSED : 0) |
                    (tally->zombie > 0 ? ENTRY_ZOMBIE : 0),
        .site = site,
    };
}

struct entries entries_of_profile(const struct profile *profile, const char *root)
{
    struct entries entries = {.blind = profile->blind.count};
    const struct site_key *keys = site_keys_make(profile, root);
    for (size_t i = 0; i < profile->sites.count; i++)
        if (profile->sites.item[i]->kind != TRACE_STATEMENT)
            *LIST_ADD(profile->arena, &entries.list) =
                entry_of(profile, profile->sites.item[i], &keys[i]);
    return entries;
}
