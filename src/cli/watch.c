// Watching traces for sessions held too long: see watch.h.
//
// A look is cheap (trace_glance.h). Only when it finds something is the trace read as a whole, to
// name the site and to judge the session as a report does.
#include "cli/watch.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <langinfo.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cli/cli.h"
#include "report/code/owners.h"
#include "report/profile/reading.h"
#include "report/render/text/sheet.h"
#include "shared/clean.h"
#include "shared/hold_log.h"
#include "shared/line_out.h"
#include "trace/clock.h"
#include "trace/trace_glance.h"

static const uint64_t millisecond = 1000000;

// What is known of a session slot.
struct slot {
    uint32_t generation; // that the rest is about
    bool told;           // that it is overdue, or known not to be worth a word
    bool found;          // by this look
    char *words[4];      // if there was a line: kind, place, thread, database
    uint64_t acquired_ns;
    uint32_t site;   // in the trace
    uint64_t number; // of the site, see hold_event.site
};

// What was told of a site.
struct told {
    uint64_t late;        // sessions that came back late
    uint64_t late_before; // counted by the recorder up to the look before
    uint64_t reclaimed_before;
};

struct watched {
    char *path;
    pid_t pid;
    bool done;
    struct trace_glance glance;
    struct slot *slots; // by reference - 1
    uint32_t slot_count;
    struct told *sites; // likewise
    uint32_t site_count;
    uint64_t next_check_ns; // whether the process is there
    uint32_t named;         // sites up to this one were there when the trace was last read
};

struct watch {
    struct hold_log log;
    int fd;
    uint64_t now_ns, due_ns;
    struct profile_cache *cache;
    LIST(struct watched *) traces;
    struct arena *arena;
};

static bool write_line(void *data, const char *line, size_t bytes)
{
    const struct watch *watch = data;
    char ascii[HOLD_LINE_BYTES];
    if (bytes <= sizeof ascii && strcmp(nl_langinfo(CODESET), "UTF-8") != 0) {
        memcpy(ascii, line, bytes);
        bytes = clean_to_ascii(ascii, bytes);
        line = ascii;
    }
    return line_out(watch->fd, line, bytes);
}

struct watch *watch_new(uint64_t threshold_ns, const char *log)
{
    struct watch *watch = calloc(1, sizeof *watch);
    if (!watch)
        cli_no_memory();
    watch->log.write = write_line;
    watch->log.data = watch;
    watch->log.threshold_ns = threshold_ns;
    watch->fd = STDERR_FILENO;
    if (log[0])
        watch->fd = line_out_open(log, true);
    if (watch->fd < 0)
        cli_message("cannot write to %s: %s; sessions held too long will not be reported; name "
                    "another file with --log",
                    log, strerror(-watch->fd));
    watch->cache = profile_cache_new();
    watch->arena = arena_new();
    return watch;
}

bool watch_knows(const struct watch *watch, const char *path)
{
    for (size_t i = 0; i < watch->traces.count; i++)
        if (strcmp(watch->traces.item[i]->path, path) == 0)
            return true;
    return false;
}

void watch_add(struct watch *watch, const char *path, pid_t pid)
{
    struct trace_glance glance;
    if (watch_knows(watch, path) || glance_open(&glance, path) < 0)
        return; // a trace that is just being made opens at the next try
    struct watched *trace = arena_take(watch->arena, sizeof *trace);
    trace->path = arena_text(watch->arena, path);
    trace->pid = pid;
    trace->glance = glance;
    *LIST_ADD(watch->arena, &watch->traces) = trace;
}

static void forget_slot(struct slot *slot)
{
    for (size_t i = 0; i < sizeof slot->words / sizeof slot->words[0]; i++)
        free(slot->words[i]);
    *slot = (struct slot){0};
}

static void let_go(struct watched *trace)
{
    if (trace->done)
        return;
    trace->done = true;
    glance_close(&trace->glance);
    for (uint32_t i = 0; i < trace->slot_count; i++)
        forget_slot(&trace->slots[i]);
    free(trace->slots);
    free(trace->sites);
    trace->slots = NULL;
    trace->sites = NULL;
    trace->slot_count = trace->site_count = 0;
}

// An array that grew from *count to `wanted` zeroed items.
static void *enlarge(void *items, uint32_t *count, uint32_t wanted, size_t bytes)
{
    if (wanted <= *count)
        return items;
    char *grown = reallocarray(items, wanted, bytes);
    if (!grown)
        cli_no_memory();
    memset(grown + *count * bytes, 0, (wanted - *count) * bytes);
    *count = wanted;
    return grown;
}

static void tell(struct watch *watch, const struct watched *trace, const struct hold_event *event)
{
    struct hold_event whole = *event;
    whole.program = owners_base_name(trace->glance.header.exe);
    whole.pid = trace->glance.header.pid;
    hold_log_event(&watch->log, &whole, watch->now_ns);
}

// The moment `at_ns`, CLOCK_MONOTONIC, of this trace's process.
static uint64_t realtime(const struct watched *trace, uint64_t at_ns)
{
    const struct trace_header *header = &trace->glance.header;
    return header->start_realtime + (at_ns - header->start_ns);
}

// A session that was told of as overdue is not out any more. Whether the code gave it back shows in
// the counters of its site, which were read after it.
static void tell_end(struct watch *watch, struct watched *trace, const struct slot *slot)
{
    struct told *told = &trace->sites[slot->site - 1];
    const struct glance_site *counters = &trace->glance.sites[slot->site - 1];
    enum hold_what what = HOLD_BACK;
    if (counters->late > told->late) {
        told->late++;
    } else if (counters->reclaimed > told->reclaimed_before) {
        told->reclaimed_before++;
        what = HOLD_RECLAIMED;
    } else {
        return; // interpreter shutdown, or an unseen release
    }
    tell(watch, trace,
         &(struct hold_event){.what = what,
                              .realtime_ns = realtime(trace, watch->now_ns),
                              .held_ns = watch->now_ns - slot->acquired_ns,
                              .site = slot->number,
                              .kind = slot->words[0],
                              .place = slot->words[1],
                              .thread = slot->words[2],
                              .database = slot->words[3]});
}

static bool is_out(const struct trace_session *session)
{
    return session->state == TRACE_SLOT_LIVE || session->state == TRACE_SLOT_RELEASING ||
           session->state == TRACE_SLOT_ENDED; // not counted yet
}

// Follows the slots: reports sessions that were returned, and finds those that are overdue.
// Result: how many of these. *unnamed: whether a session may soon be, at a site not named yet.
static uint32_t follow_slots(struct watch *watch, struct watched *trace, bool *unnamed)
{
    const struct trace_glance *glance = &trace->glance;
    uint32_t count = 0;
    *unnamed = false;
    for (uint32_t i = 0; i < trace->slot_count; i++) {
        const struct trace_session *session = &glance->sessions[i];
        struct slot *slot = &trace->slots[i];
        if (slot->told && (!is_out(session) || session->generation != slot->generation)) {
            if (slot->words[0] && slot->site >= 1 && slot->site <= trace->site_count)
                tell_end(watch, trace, slot);
            forget_slot(slot);
        }
        slot->found = false;
        if (session->state != TRACE_SLOT_LIVE || slot->told ||
            session->flags & (TRACE_SESSION_POOLED | TRACE_SESSION_INHERITED))
            continue;
        uint64_t due = session->acquired_ns + watch->log.threshold_ns;
        // Names of functions and lines may take a while: they are looked up before they are needed.
        *unnamed |= session->site > trace->named &&
                    session->acquired_ns + watch->log.threshold_ns / 4 < watch->now_ns;
        if (due < watch->now_ns)
            slot->found = glance_is_still(glance, i + 1);
        else if (due < watch->due_ns)
            watch->due_ns = due;
        count += slot->found;
    }
    return count;
}

static uint64_t number_of(const struct profile_site *site)
{
    return site ? strtoull(site->id, NULL, 16) + 1 : 1;
}

static void tell_overdue(struct watch *watch, struct watched *trace, const struct profile *profile,
                         const struct profile_session *session)
{
    uint64_t acquired_ns = trace->glance.header.start_ns + session->acquired_ns;
    if (!session->overdue || session->slot > trace->slot_count)
        return;
    struct slot *slot = &trace->slots[session->slot - 1];
    const struct trace_session *seen = &trace->glance.sessions[session->slot - 1];
    if (!slot->found || slot->told || seen->acquired_ns != acquired_ns)
        return; // another one has its slot by now: at the next look
    const char *directory = session->process->header->directory;
    const char *place = session->site ? sheet_frame(profile->arena, session->site->name, directory)
                                      : "an unknown place";
    const struct hold_event event = {
        .what = HOLD_OVERDUE,
        .realtime_ns = realtime(trace, acquired_ns + session->age_ns),
        .held_ns = session->age_ns,
        .site = number_of(session->site),
        .kind = profile_kind_name(session->kind),
        .place = place,
        .thread = session->thread,
        .database = owners_relative_path(session->database, directory),
    };
    tell(watch, trace, &event);
    const char *words[] = {event.kind, event.place, event.thread, event.database};
    slot->told = true;
    slot->number = event.site;
    for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
        if (!(slot->words[i] = strdup(words[i])))
            cli_no_memory();
}

static const struct profile_site *site_of(const struct profile *profile, uint32_t ref)
{
    for (size_t i = 0; i < profile->sites.count; i++)
        for (size_t j = 0; j < profile->sites.item[i]->refs.count; j++)
            if (profile->sites.item[i]->refs.item[j].ref == ref)
                return profile->sites.item[i];
    return NULL;
}

// Sessions that were overdue for so short a time that no look has found them: known by the
// recorder's count only.
static void tell_unseen(struct watch *watch, struct watched *trace, const struct profile *profile)
{
    for (uint32_t i = 0; i < trace->site_count; i++) {
        struct told *told = &trace->sites[i];
        const struct profile_site *site =
            told->late_before > told->late ? site_of(profile, i + 1) : NULL;
        const char *place = site ? sheet_frame(profile->arena, site->name,
                                               profile->processes.item[0]->header->directory)
                                 : "an unknown place";
        for (; told->late < told->late_before; told->late++)
            tell(watch, trace,
                 &(struct hold_event){.what = HOLD_BACK,
                                      .realtime_ns = realtime(trace, watch->now_ns),
                                      .held_ns = watch->log.threshold_ns,
                                      .held_at_least = true,
                                      .site = number_of(site),
                                      .kind = profile_kind_name(site ? site->kind : 0),
                                      .place = place,
                                      .thread = "",
                                      .database = ""});
    }
}

// What was found needs no second look, also where there was nothing to tell: reports do not list
// handles that another one stands for.
static void note_found(struct watched *trace)
{
    for (uint32_t i = 0; i < trace->slot_count; i++) {
        struct slot *slot = &trace->slots[i];
        const struct trace_session *seen = &trace->glance.sessions[i];
        if (!slot->found)
            continue;
        slot->told = true;
        slot->generation = seen->generation;
        slot->acquired_ns = seen->acquired_ns;
        slot->site = seen->site;
    }
}

static void ignore(void *data, const char *message)
{
    (void)data;
    (void)message; // the report will say it
}

// Reads the trace as a report does, and tells what there is to tell. Result: whether its process
// still runs.
static bool read_and_tell(struct watch *watch, struct watched *trace)
{
    struct trace_sources sources = {.arena = arena_new()};
    *LIST_ADD(sources.arena, &sources.list) =
        (struct trace_source){.path = trace->path, .pid = trace->pid};
    const struct reading reading = {.sources = &sources,
                                    .threshold_ns = watch->log.threshold_ns,
                                    .cache = watch->cache,
                                    .complain = ignore};
    unsigned traces = 0;
    struct profile *profile = reading_profile(&reading, &traces);
    bool runs = profile->running > 0;
    trace->named = trace->glance.site_count;
    for (size_t i = 0; i < profile->sessions.count; i++)
        tell_overdue(watch, trace, profile, profile->sessions.item[i]);
    note_found(trace);
    tell_unseen(watch, trace, profile);
    profile_free(profile);
    arena_free(sources.arena);
    return runs;
}

static bool has_unseen(const struct watched *trace)
{
    for (uint32_t i = 0; i < trace->site_count; i++)
        if (trace->sites[i].late_before > trace->sites[i].late)
            return true;
    return false;
}

// Whether nothing will change in the trace any more, as far as can be told without much ado.
static bool has_ended(const struct watch *watch, struct watched *trace)
{
    const uint64_t pause_ns = 5000 * millisecond;
    const struct trace_header *header = &trace->glance.header;
    if (header->ended != TRACE_ENDED_UNKNOWN)
        return true;
    if (watch->now_ns < trace->next_check_ns)
        return false;
    trace->next_check_ns = watch->now_ns + pause_ns;
    return kill(trace->pid ? trace->pid : (pid_t)header->pid, 0) < 0 && errno == ESRCH;
}

static void look_at(struct watch *watch, struct watched *trace, bool last)
{
    struct trace_glance *glance = &trace->glance;
    if (glance_take(glance) < 0) {
        let_go(trace);
        return;
    }
    trace->slots =
        enlarge(trace->slots, &trace->slot_count, glance->session_count, sizeof *trace->slots);
    trace->sites =
        enlarge(trace->sites, &trace->site_count, glance->site_count, sizeof *trace->sites);
    watch->now_ns = clock_now(CLOCK_MONOTONIC);
    bool unnamed = false;
    uint32_t found = follow_slots(watch, trace, &unnamed);
    bool ended = last || has_ended(watch, trace);
    for (uint32_t i = 0; ended && i < trace->site_count; i++)
        trace->sites[i].late_before = glance->sites[i].late;
    bool something = found > 0 || unnamed || has_unseen(trace);
    if (something && !read_and_tell(watch, trace) && !ended) {
        look_at(watch, trace, true); // it has ended since the look
        return;
    }
    for (uint32_t i = 0; i < trace->site_count; i++) {
        trace->sites[i].late_before = glance->sites[i].late;
        trace->sites[i].reclaimed_before = glance->sites[i].reclaimed;
    }
    if (glance->header.ended == TRACE_ENDED_UNKNOWN)
        glance_tell(glance, watch->now_ns);
    if (ended)
        let_go(trace);
}

static void look(struct watch *watch, bool last)
{
    for (size_t i = 0; i < watch->traces.count; i++)
        if (!watch->traces.item[i]->done)
            look_at(watch, watch->traces.item[i], last);
    hold_log_more(&watch->log, last, watch->now_ns, clock_now(CLOCK_REALTIME));
}

uint64_t watch_look(struct watch *watch)
{
    const uint64_t least = 10 * millisecond;
    uint64_t begin = clock_now(CLOCK_MONOTONIC);
    // A session is seen at least three times before it is overdue.
    uint64_t pause = watch->log.threshold_ns / 4;
    if (pause > 200 * millisecond)
        pause = 200 * millisecond;
    watch->now_ns = begin;
    watch->due_ns = UINT64_MAX;
    look(watch, false);
    uint64_t now = clock_now(CLOCK_MONOTONIC);
    uint64_t took = now - begin;
    if (pause < 20 * took) // a twentieth of a processor at most
        pause = 20 * took;
    if (watch->due_ns < now + pause)
        pause = watch->due_ns > now ? watch->due_ns - now + millisecond : 0;
    return pause > least ? pause : least;
}

void watch_end(struct watch *watch)
{
    if (!watch)
        return;
    watch->now_ns = clock_now(CLOCK_MONOTONIC);
    watch->due_ns = UINT64_MAX;
    look(watch, true);
    for (size_t i = 0; i < watch->traces.count; i++)
        let_go(watch->traces.item[i]);
    if (watch->fd != STDERR_FILENO && watch->fd >= 0)
        close(watch->fd);
    profile_cache_free(watch->cache);
    arena_free(watch->arena);
    free(watch);
}
