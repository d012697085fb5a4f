// The recorder's own summary: see dump.h. Reads the trace as it stands; a number may be one behind.
#include "recorder/life/dump.h"

#include <string.h>

#include "recorder/core/log.h"
#include "recorder/core/recorder.h"
#include "recorder/stacks/place.h"
#include "trace/trace_ends.h"

enum { SITES_SHOWN = 10, FRAMES_SHOWN = 6 };

struct tally {
    uint64_t live, pooled, opened, released, reclaimed;
};

static bool is_live(const struct trace_session *session)
{
    return __atomic_load_n(&session->state, __ATOMIC_ACQUIRE) == TRACE_SLOT_LIVE &&
           !(session->flags & TRACE_SESSION_INHERITED);
}

struct site_question {
    uint32_t site;
    struct tally tally;
    const struct trace_session *oldest;
};

static void count_session(const void *record, uint32_t ref, void *data)
{
    const struct trace_session *session = record;
    struct site_question *question = data;
    (void)ref;
    if (session->site != question->site || !is_live(session))
        return;
    if (session->flags & TRACE_SESSION_POOLED) {
        question->tally.pooled++;
        return;
    }
    question->tally.live++;
    if (!question->oldest || session->acquired_ns < question->oldest->acquired_ns)
        question->oldest = session;
}

// Out no more, and not closed by a runtime of which it is known that the code did not ask.
static uint64_t count_released(const struct trace_site *site)
{
    return trace_count_released(site->ended) + site->ended[TRACE_DISCARDED] +
           site->ended[TRACE_LOST_RELEASE] + site->ended[TRACE_CLOSER_UNKNOWN] +
           site->ended[TRACE_KEPT_BY_POOL];
}

static void ask_site(const struct trace_site *site, uint32_t ref, struct site_question *question)
{
    *question = (struct site_question){.site = ref};
    each_record(TRACE_SESSIONS, count_session, question);
    struct tally *tally = &question->tally;
    tally->released = count_released(site);
    tally->reclaimed = trace_count_reclaimed(site->ended);
    tally->opened = tally->released + tally->reclaimed + tally->live + tally->pooled;
}

struct summary {
    struct tally total[TRACE_KINDS];
    struct tally inherited[TRACE_KINDS]; // open before the attach: only live, opened
    struct {
        const struct trace_site *site;
        uint32_t ref;
        uint64_t never_closed;
    } worst[SITES_SHOWN];
    uint32_t sites;
    struct log *log;
    bool symbols;
    uint64_t now;
};

// Pre-existing sessions: not leaks so far.
static void add_inherited(const struct trace_site *site, struct tally *tally)
{
    tally->live += site->out;
    tally->opened += site->out;
    for (int end = 0; end < TRACE_ENDS; end++)
        tally->opened += site->ended[end];
}

static void add_site(const void *record, uint32_t ref, void *data)
{
    const struct trace_site *site = record;
    struct summary *summary = data;
    struct site_question question;
    if (site->kind >= TRACE_KINDS || site->flags & TRACE_SITE_WRAPPER)
        return;
    if (site->flags & TRACE_SITE_INHERITED) {
        add_inherited(site, &summary->inherited[site->kind]);
        return;
    }
    // Most sites have nothing out: their sessions need not be looked for.
    if (site->out > 0)
        ask_site(site, ref, &question);
    else
        question =
            (struct site_question){.tally = {.released = count_released(site),
                                             .reclaimed = trace_count_reclaimed(site->ended)}};
    const struct tally *tally = &question.tally;
    struct tally *total = &summary->total[site->kind];
    total->live += tally->live;
    total->pooled += tally->pooled;
    total->released += tally->released;
    total->reclaimed += tally->reclaimed;
    total->opened += tally->live + tally->pooled + tally->released + tally->reclaimed;
    uint64_t never_closed = tally->live + tally->reclaimed;
    if (never_closed == 0)
        return;
    summary->sites++;
    for (int i = 0; i < SITES_SHOWN; i++) {
        if (summary->worst[i].site && summary->worst[i].never_closed >= never_closed)
            continue;
        memmove(&summary->worst[i + 1], &summary->worst[i],
                (SITES_SHOWN - 1 - (size_t)i) * sizeof summary->worst[0]);
        summary->worst[i].site = site;
        summary->worst[i].ref = ref;
        summary->worst[i].never_closed = never_closed;
        break;
    }
}

static void put_stack(const struct summary *summary, uint32_t ref)
{
    const uint64_t *frames;
    uint32_t count = trace_stack_frames(&recorder_trace, ref, &frames, NULL);
    for (uint32_t i = 0; i < count && i < FRAMES_SHOWN; i++) {
        log_text(summary->log, "     ");
        log_frame(summary->log, frames[i], summary->symbols);
        log_text(summary->log, "\n");
    }
}

static void put_count(struct log *log, const char *before, uint64_t count, const char *after)
{
    log_text(log, before);
    log_number(log, count);
    log_text(log, after);
}

static void put_site(const struct summary *summary, int rank)
{
    struct log *log = summary->log;
    const struct trace_site *site = summary->worst[rank].site;
    struct site_question question;
    ask_site(site, summary->worst[rank].ref, &question);
    put_count(log, "", (uint64_t)rank + 1, ". ");
    put_count(log, "", question.tally.live + question.tally.reclaimed, " of ");
    put_count(log, "", question.tally.opened, " never closed");
    if (question.oldest) {
        put_count(log, ", held now ", question.tally.live, ", longest ");
        log_seconds(log, summary->now - question.oldest->acquired_ns);
        log_text(log, ", thread ");
        log_name(log, trace_string(&recorder_trace, question.oldest->thread));
    }
    if (site->database != TRACE_NONE) {
        log_text(log, ", database ");
        log_name(log, trace_string(&recorder_trace, site->database));
    }
    if (question.oldest && question.oldest->flags & TRACE_SESSION_TRANSACTION)
        log_text(log, ", transaction open");
    if (question.oldest && question.oldest->detail != TRACE_NONE) {
        log_text(log, ", kept open by: ");
        log_name(log, trace_string(&recorder_trace, question.oldest->detail));
    }
    log_text(log, "\n");
    put_stack(summary, site->stack);
}

static void put_pool(const void *record, uint32_t ref, void *data)
{
    const struct trace_pool *pool = record;
    struct summary *summary = data;
    struct log *log = summary->log;
    (void)ref;
    if (pool->acquires + pool->failed + pool->high_water == 0)
        return;
    log_text(log, "pool ");
    log_name(log, trace_string(&recorder_trace, pool->kind));
    if (pool->name != TRACE_NONE) {
        log_text(log, " ");
        log_name(log, trace_string(&recorder_trace, pool->name));
    }
    if (pool->size != TRACE_UNKNOWN)
        put_count(log, "  size ", pool->size, "");
    put_count(log, "  checked out ", pool->out, "");
    put_count(log, ", high-water mark ", pool->high_water, " at ");
    log_seconds(log, pool->high_water_ns - recorder_trace.header->start_ns);
    put_count(log, ", acquired ", pool->acquires, "");
    put_count(log, ", waited ", pool->waits, pool->waits == 1 ? " time" : " times");
    put_count(log, ", failed ", pool->failed, "\n");
}

static void put_inherited(const struct summary *summary, const char *name,
                          const struct tally *inherited)
{
    if (inherited->opened == 0)
        return;
    log_text(summary->log, "  pre-existing ");
    log_name(summary->log, name);
    put_count(summary->log, " (no acquire backtrace): ", inherited->opened, "");
    put_count(summary->log, ", still held ", inherited->live, "\n");
}

static void put_totals(const struct summary *summary)
{
    static const char *const names[TRACE_KINDS] = {"", "handles", "checkouts", "sessions",
                                                   "statements"};
    for (int kind = 1; kind < TRACE_KINDS; kind++) {
        const struct tally *total = &summary->total[kind];
        put_inherited(summary, names[kind], &summary->inherited[kind]);
        if (total->opened == 0)
            continue;
        log_text(summary->log, "  ");
        log_text(summary->log, names[kind]);
        put_count(summary->log, ": opened ", total->opened, "");
        put_count(summary->log, ", released ", total->released, "");
        put_count(summary->log, ", never closed ", total->live + total->reclaimed, "");
        if (total->pooled > 0)
            put_count(summary->log, ", kept open by pools ", total->pooled, "");
        log_text(summary->log, "\n");
    }
}

static void put_lost(const struct summary *summary)
{
    uint64_t lost = 0;
    for (int i = 0; i < TRACE_LOST_REASONS; i++)
        lost += recorder_trace.header->lost[i];
    if (lost > 0)
        put_count(summary->log, "  not recorded: ", lost, " (the report says why)\n");
}

void dump_summary(bool symbols)
{
    struct log log;
    struct summary summary = {.log = &log, .symbols = symbols, .now = recorder_now()};
    const struct trace_header *header = recorder_trace.header;
    log_open(&log);
    log_text(&log, "unclosed: ");
    log_name(&log, base_name(header->exe));
    put_count(&log, "[", header->pid, "] ");
    log_seconds(&log, summary.now - header->start_ns);
    log_text(&log, "\n");
    each_record(TRACE_SITES, add_site, &summary);
    put_totals(&summary);
    put_lost(&summary);
    each_record(TRACE_POOLS, put_pool, &summary);
    uint64_t never_closed = 0;
    for (int kind = 1; kind < TRACE_KINDS; kind++)
        never_closed += summary.total[kind].live + summary.total[kind].reclaimed;
    for (int i = 0; i < SITES_SHOWN && summary.worst[i].site; i++)
        put_site(&summary, i);
    if (recorder_trace.path[0]) {
        log_text(&log, "all sites, with lines: unclosed report ");
        log_name(&log, recorder_trace.path);
        log_text(&log, "\n");
    }
    put_count(&log, "SUMMARY: ", never_closed,
              never_closed == 1 ? " session never closed, " : " sessions never closed, ");
    put_count(&log, "", summary.sites, summary.sites == 1 ? " site\n" : " sites\n");
    log_close(&log);
}
