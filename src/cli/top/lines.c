// Lines about a site: see lines.h.
#include "cli/top/lines.h"

#include <inttypes.h>

#include "cli/top/text.h"
#include "report/code/owners.h"
#include "report/render/text/words.h"

enum { SESSIONS_SHOWN = 200 };

static void add_line(struct arena *arena, top_lines *lines, enum sheet_style style,
                     const char *text)
{
    *LIST_ADD(arena, lines) = (struct top_line){style, text};
}

// Whether a frame is listed when those of libraries are not. Of a runtime's stack the native frames
// are the interpreter's.
static bool is_telling(const struct frames *frames, const struct frame *frame)
{
    return frame->owner == FRAME_USER && frame->runtime == frames->has_locations;
}

static void add_frames(struct arena *arena, const struct profile_site *site,
                       const struct frames *frames, bool all_frames, top_lines *lines)
{
    const char *directory = site->process->header->directory;
    size_t telling = 0;
    for (size_t i = 0; i < frames->count; i++)
        telling += is_telling(frames, &frames->frame[i]);
    all_frames |= telling == 0;
    for (size_t i = 0; i < frames->count; i++) {
        const struct frame *frame = &frames->frame[i];
        bool names = frame == site->name;
        if (!all_frames && !names && !is_telling(frames, frame))
            continue;
        enum sheet_style style = names                        ? SHEET_BOLD
                                 : frame->owner == FRAME_USER ? SHEET_PLAIN
                                                              : SHEET_DIM;
        add_line(arena, lines, style,
                 arena_format(arena, "%s #%-3zu %s%s", names ? ">" : " ", i,
                              sheet_frame(arena, frame, directory),
                              frame->inlined ? " (inlined)" : ""));
    }
    if (frames->cut)
        add_line(arena, lines, SHEET_DIM, "       (deeper frames were not recorded)");
    if (!all_frames && telling < frames->count)
        add_line(arena, lines, SHEET_DIM,
                 arena_format(arena, "       (%s of libraries hidden: press a)",
                              text_count(arena, frames->count - telling, "frame", "frames")));
}

void top_lines_stack(struct arena *arena, const struct top_snapshot *snapshot, struct top_row *row,
                     bool all_frames, top_lines *lines)
{
    const struct profile_site *site = row->site;
    if (!site) {
        add_line(
            arena, lines, SHEET_DIM,
            "  Where these were acquired is not known: they were open before the trace began.");
        return;
    }
    const char *code =
        profile_code(snapshot->profile, site->name, site->process->header->directory);
    if (code[0])
        add_line(arena, lines, SHEET_BOLD,
                 arena_format(arena, "       %s", sheet_clean(arena, code, 0)));
    bool created = site->created && site->created->count > 0;
    if (created) {
        add_line(arena, lines, SHEET_PLAIN, "  created at");
        add_frames(arena, site, site->created, all_frames, lines);
        add_line(arena, lines, SHEET_PLAIN, "  acquired at");
    }
    if (site->stack)
        add_frames(arena, site, site->stack, all_frames, lines);
}

// The numbers of a site.
static void add_facts(struct arena *arena, const struct top_snapshot *snapshot, struct top_row *row,
                      top_lines *lines)
{
    const struct profile_site *site = row->site;
    add_line(arena, lines, SHEET_BOLD, arena_format(arena, "  %s", top_row_name(snapshot, row)));
    const char *kind = profile_kind_name(row->kind);
    const char *line = arena_format(
        arena, "  %s held", text_count(arena, row->held, kind, arena_format(arena, "%ss", kind)));
    if (snapshot->growth_ns)
        line = arena_format(arena, "%s, %s in %s", line, top_text_change(arena, row->growth),
                            top_text_time(arena, snapshot->growth_ns));
    if (row->held && row->oldest_ns)
        line = arena_format(arena, "%s, the oldest for %s", line,
                            sheet_duration(arena, row->oldest_ns));
    add_line(arena, lines, SHEET_PLAIN, line);
    if (site)
        add_line(arena, lines, SHEET_PLAIN,
                 arena_format(arena,
                              "  opened %" PRIu64 " · released %" PRIu64 " · reclaimed %" PRIu64
                              " · longest %s",
                              site->tally.opened, site->tally.released, row->reclaimed,
                              sheet_duration(arena, site->longest_ns)));
    if (!site)
        return;
    if (site->pool)
        add_line(arena, lines, SHEET_PLAIN,
                 arena_format(arena, "  from %s", text_pool_name(arena, site->pool)));
    const char *names[] = {
        text_names(arena, "thread", "threads", &site->threads),
        text_names(arena, "db", "dbs", &site->databases),
        text_names(arena, "test", "tests", &site->tests),
        text_names(arena, "task", "tasks", &site->tasks),
    };
    for (size_t i = 0; i < sizeof names / sizeof names[0]; i++)
        if (names[i])
            add_line(arena, lines, SHEET_PLAIN, arena_format(arena, "  %s", names[i]));
}

static void add_session(struct arena *arena, const struct profile_session *session,
                        top_lines *lines)
{
    const char *directory = session->process->header->directory;
    const char *line =
        arena_format(arena, "  %10s  tid %-7u %s", top_text_time(arena, session->age_ns),
                     session->tid, sheet_clean(arena, session->thread, 24));
    if (session->database[0])
        line = arena_format(
            arena, "%s · db %s", line,
            sheet_clean(arena, owners_relative_path(session->database, directory), 60));
    if (session->task[0])
        line = arena_format(arena, "%s · task %s", line, sheet_clean(arena, session->task, 60));
    if (session->test[0])
        line = arena_format(arena, "%s · test %s", line, sheet_clean(arena, session->test, 80));
    if (session->overdue)
        line = arena_format(arena, "%s · overdue", line);
    bool transaction = session->flags & TRACE_SESSION_TRANSACTION;
    if (transaction)
        line = arena_format(arena, "%s · transaction open", line);
    if (session->flags & (TRACE_SESSION_REFUSED | TRACE_SESSION_ZOMBIE))
        line = arena_format(arena, "%s · %s", line,
                            session->flags & TRACE_SESSION_ZOMBIE ? "zombie" : "close refused");
    add_line(arena, lines, transaction ? SHEET_WARN : SHEET_PLAIN, line);
}

// The sessions of a row: they are sorted by age already.
static void add_sessions(struct arena *arena, const struct top_snapshot *snapshot,
                         const struct top_row *row, top_lines *lines)
{
    const struct profile *profile = snapshot->profile;
    size_t shown = 0;
    size_t all = 0;
    for (size_t i = 0; i < profile->sessions.count; i++) {
        const struct profile_session *session = profile->sessions.item[i];
        if (session->site != row->site || session->kind != row->kind ||
            (session->flags & TRACE_SESSION_POOLED) || session->age_ns < profile->threshold_ns)
            continue;
        if (all++ == 0) {
            add_line(arena, lines, SHEET_PLAIN, "");
            add_line(arena, lines, SHEET_BOLD, "  held for");
        }
        if (shown == SESSIONS_SHOWN)
            continue;
        add_session(arena, session, lines);
        shown++;
    }
    if (all > shown)
        add_line(
            arena, lines, SHEET_DIM,
            arena_format(arena, "  and %zu more; `unclosed held` lists them all", all - shown));
}

void top_lines_site(struct arena *arena, const struct top_snapshot *snapshot, struct top_row *row,
                    bool all_frames, top_lines *lines)
{
    add_facts(arena, snapshot, row, lines);
    add_line(arena, lines, SHEET_PLAIN, "");
    top_lines_stack(arena, snapshot, row, all_frames, lines);
    add_sessions(arena, snapshot, row, lines);
}

void top_lines_help(struct arena *arena, top_lines *lines)
{
    static const char *const help[] = {
        "  Up Down PgUp PgDn Home End  select a site",
        "  Tab                         show or hide its stack",
        "  Enter                       its details: numbers, stack, sessions held",
        "  a                           stacks with or without frames of libraries",
        "  < > s                       sort by the column on the left, on the right",
        "  H G T K                     sort by held, growth, oldest, kind,",
        "  O A C S                     ... opened, acquires per second, reclaimed, site",
        "  r                           reverse the order",
        "  /                           show only sites whose name contains a text",
        "  Space f                     freeze the display, and resume",
        "  + -                         longer, shorter interval",
        "  q Ctrl-C                    quit (q and Esc leave a page first)",
        "",
        "  HELD       sessions held now; of an ended process: at its end",
        "  GROWTH     change within the last minute, or since top started",
        "  OPENED     acquires since tracing began; ACQ/S: per second, recently",
        "  OLDEST     how long the oldest of those held has been held",
        "  RECLAIMED  closed by the garbage collector, never by the code",
        "  PEAK       the most ever checked out; WAITING: acquires waiting now",
        "  SINCE ...  how many were held over time; red: keeps growing",
        "  The process is not stopped: its trace is read from outside.",
    };
    for (size_t i = 0; i < sizeof help / sizeof help[0]; i++)
        add_line(arena, lines, SHEET_PLAIN, help[i]);
}
