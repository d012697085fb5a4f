// Sessions held longer than --threshold: see overdue.h. Knows the session table and the trace.
#include "recorder/books/overdue.h"

#include <string.h>

#include "recorder/books/session.h"
#include "recorder/core/lock_order.h"
#include "recorder/core/log.h"
#include "recorder/stacks/place.h"
#include "shared/hold_log.h"
#include "trace/lock.h"
#include "trace/trace_ends.h"

_Atomic uint64_t overdue_due_ns = UINT64_MAX;

// How long a tool counts as watching after it announced that, or after its last look.
static const uint64_t patience_ns = 10000000000;
static const uint64_t pause_ns = 100000000; // between two looks: each reads the whole table

static atomic_bool looking;
static uint64_t opened_ns;
static struct lock log_lock = LOCK_OF(LOCK_OVERDUE); // guards the log, and `place`
static struct log place;                             // a text, never written anywhere

static bool write_line(void *data, const char *line, size_t bytes)
{
    (void)data;
    return log_line(line, bytes);
}

static struct hold_log hold_log = {.write = write_line};

void overdue_look_by(uint64_t due_ns)
{
    uint64_t before = atomic_load(&overdue_due_ns);
    while (due_ns < before && !atomic_compare_exchange_weak(&overdue_due_ns, &before, due_ns))
        continue;
}

static uint64_t watched_ns(void)
{
    return __atomic_load_n(&recorder_trace.header->watched_ns, __ATOMIC_RELAXED);
}

static bool is_watched(uint64_t now_ns)
{
    uint64_t seen = watched_ns();
    if (seen == 0 && recorder_options.watched)
        seen = opened_ns;
    return seen != 0 && now_ns < seen + patience_ns;
}

static uint64_t realtime(uint64_t now_ns)
{
    const struct trace_header *header = recorder_trace.header;
    return header->start_realtime + (now_ns - header->start_ns);
}

static void tell(enum hold_what what, const struct trace_session *session,
                 const struct trace_site *site, uint32_t site_ref, uint64_t now_ns)
{
    static const char *const kinds[TRACE_KINDS] = {"session", "handle", "checkout", "session",
                                                   "statement"};
    place.fd = -1;
    place.used = 0;
    log_site(&place, site);
    place.text[place.used < LOG_BYTES ? place.used : LOG_BYTES - 1] = 0;
    const struct hold_event event = {
        .what = what,
        .realtime_ns = realtime(now_ns),
        .held_ns = now_ns - session->acquired_ns,
        .site = site_ref,
        .program = base_name(recorder_trace.header->exe),
        .pid = recorder_trace.header->pid,
        .kind = kinds[site->kind < TRACE_KINDS ? site->kind : 0],
        .place = place.text,
        .thread = trace_string(&recorder_trace, session->thread),
        .database = trace_string(&recorder_trace, session->database),
    };
    hold_log_event(&hold_log, &event, now_ns);
}

enum { AT_ONCE = 16 };

struct list {
    uint64_t now_ns, told_ns; // what was due before told_ns was told by the tool
    uint64_t next_ns;         // when the next one is due
    int count;
    struct trace_session found[AT_ONCE];
};

static void collect(struct trace_session *record, uint32_t slot, void *data)
{
    struct list *list = data;
    (void)slot;
    if (record->flags & (TRACE_SESSION_POOLED | TRACE_SESSION_INHERITED | TRACE_SESSION_TOLD))
        return;
    uint64_t due = record->acquired_ns + recorder_options.threshold_ns;
    bool is_due = due < list->now_ns;
    if (is_due && list->count < AT_ONCE) {
        __atomic_or_fetch(&record->flags, TRACE_SESSION_TOLD, __ATOMIC_RELAXED);
        if (due > list->told_ns)
            list->found[list->count++] = *record;
    } else if (due < list->next_ns) {
        list->next_ns = due;
    }
}

static void look(uint64_t now_ns)
{
    static struct list list; // `looking` guards it
    list.now_ns = now_ns;
    list.told_ns = watched_ns();
    list.next_ns = UINT64_MAX;
    list.count = 0;
    // An acquire from here on that the scan misses sets it again.
    atomic_store(&overdue_due_ns, UINT64_MAX);
    session_each(collect, &list);
    lock_take(&log_lock);
    for (int i = 0; i < list.count; i++) {
        const struct trace_site *site =
            trace_record(&recorder_trace, TRACE_SITES, list.found[i].site);
        if (site && !(site->flags & TRACE_SITE_WRAPPER))
            tell(HOLD_OVERDUE, &list.found[i], site, list.found[i].site, now_ns);
    }
    hold_log_more(&hold_log, false, now_ns, realtime(now_ns));
    if (hold_log.pending_ns != 0)
        overdue_look_by(now_ns + patience_ns);
    lock_give(&log_lock);
    if (list.next_ns != UINT64_MAX)
        overdue_look_by(list.next_ns > now_ns + pause_ns ? list.next_ns : now_ns + pause_ns);
}

void overdue_look(uint64_t now_ns)
{
    if (!recorder_trace.header || atomic_exchange(&looking, true))
        return;
    if (is_watched(now_ns))
        atomic_store(&overdue_due_ns, now_ns + patience_ns / 10);
    else
        look(now_ns);
    atomic_store(&looking, false);
}

void overdue_ended(const struct trace_session *session, const struct trace_site *site,
                   uint32_t site_ref, enum trace_end end, uint64_t now_ns)
{
    bool by_code = trace_end_is_released(end) || end == TRACE_DISCARDED;
    if ((!by_code && end != TRACE_RECLAIMED && end != TRACE_COLLECTED) || is_watched(now_ns) ||
        session->flags & (TRACE_SESSION_POOLED | TRACE_SESSION_INHERITED) ||
        site->flags & TRACE_SITE_WRAPPER)
        return;
    lock_take(&log_lock);
    tell(by_code ? HOLD_BACK : HOLD_RECLAIMED, session, site, site_ref, now_ns);
    overdue_look_by(now_ns + patience_ns);
    lock_give(&log_lock);
}

void overdue_begin(void)
{
    lock_init(&log_lock); // a forked child: perhaps taken by a thread that is not here
    memset(&hold_log, 0, sizeof hold_log);
    hold_log.write = write_line;
    hold_log.threshold_ns = recorder_options.threshold_ns;
    opened_ns = recorder_now();
    atomic_store(&looking, false);
    atomic_store(&overdue_due_ns, UINT64_MAX);
}

void overdue_finish(void)
{
    uint64_t now_ns = recorder_now();
    if (!recorder_trace.header || recorder_options.threshold_ns == 0 || is_watched(now_ns))
        return;
    lock_take(&log_lock);
    hold_log_more(&hold_log, true, now_ns, realtime(now_ns));
    lock_give(&log_lock);
}
