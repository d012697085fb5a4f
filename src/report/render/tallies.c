// The numbers of a tally with their names: see tallies.h.
#include "report/render/tallies.h"

#define COLUMN(name, field)                                                                        \
    {                                                                                              \
        name, offsetof(struct profile_tally, field)                                                \
    }

const struct tally_column tally_columns[] = {
    COLUMN("opened", opened),
    COLUMN("released", released),
    COLUMN("never_closed", never_closed),
    COLUMN("live", live),
    COLUMN("held_now", held),
    COLUMN("lost_to_pool", lost),
    COLUMN("reclaimed", reclaimed),
    COLUMN("at_shutdown", shutdown),
    COLUMN("refused", refused),
    COLUMN("zombie", zombie),
    COLUMN("suppressed", suppressed),
    COLUMN("discarded", discarded),
    COLUMN("release_unseen", unseen),
    COLUMN("pooled", pooled),
    COLUMN("below_threshold", below),
    COLUMN("being_released", releasing),
    COLUMN("under_way", under_way),
    COLUMN("thread_ended", thread_ended),
    COLUMN("closer_unknown", closer_unknown),
    COLUMN("late", late),
    COLUMN("overdue", overdue),
    COLUMN("inherited", inherited),
    COLUMN("failed", failed),
};
const size_t tally_column_count = sizeof tally_columns / sizeof tally_columns[0];

uint64_t tally_value(const struct profile_tally *tally, const struct tally_column *column)
{
    uint64_t value;
    memcpy(&value, (const char *)tally + column->offset, sizeof value);
    return value;
}

const struct finding_words finding_words[FINDINGS] = {
    [FINDING_LIVE] = {"left-open", "left open",
                      "The session was opened or checked out and was still open when the process "
                      "ended or was looked at. Close it on every path: in a with statement, a "
                      "try/finally, a destructor or a cleanup handler.",
                      true},
    [FINDING_REFUSED] = {"close-refused", "not closed because close was refused",
                         "The call that closes the session failed, because statements, blobs or "
                         "backups of it were still alive, and no later call closed it. Finalize "
                         "these first, and check the result of the close.",
                         true},
    [FINDING_ZOMBIE] = {"kept-by-children", "closed while statements kept it open",
                        "The session was closed while statements, blobs or backups of it were "
                        "alive. These keep it open: finalize them.",
                        true},
    [FINDING_RECLAIMED] = {"left-to-collector", "left to a garbage collector",
                           "No code closed the session: a garbage collector, a finalizer, the end "
                           "of a request or of the interpreter did, at a time that nobody chose. "
                           "Until then it took a place in its pool. Close it on every path.",
                           false},
    [FINDING_LATE] = {"held-too-long", "held too long",
                      "The session was closed, but after more than the threshold. Whoever holds a "
                      "session keeps it from others: open it later, close it earlier, and do "
                      "slow work without it.",
                      false},
};

uint64_t finding_count(const struct profile_tally *tally, enum finding finding)
{
    switch (finding) {
    case FINDING_LIVE:
        return tally->live;
    case FINDING_REFUSED:
        return tally->refused;
    case FINDING_ZOMBIE:
        return tally->zombie;
    case FINDING_RECLAIMED:
        return tally->reclaimed;
    case FINDING_LATE:
        return tally->late;
    case FINDINGS:
        break;
    }
    return 0;
}

enum finding finding_of(const struct profile_tally *tally)
{
    enum finding most = FINDINGS;
    for (int i = 0; i < FINDING_LATE && tally->never_closed > 0; i++)
        if (finding_count(tally, (enum finding)i) > finding_count(tally, most))
            most = (enum finding)i;
    return most == FINDINGS && tally->late > 0 ? FINDING_LATE : most;
}
