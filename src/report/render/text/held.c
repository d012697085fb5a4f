// Who holds what now, as text: the sessions that are out, oldest first.
#include <inttypes.h>
#include <string.h>

#include "report/code/owners.h"
#include "report/render/text/text.h"

// Those of this very session: another one of the site may have come another way.
static void print_callers(const struct text *text, const struct profile_session *session)
{
    const struct frames *named = session->named;
    const char *directory = session->process->header->directory;
    if (!text->options->all_frames && named && session->named_index < named->count)
        text_frames(text, named, &named->frame[session->named_index], directory, 14);
    else
        text_frames(text, session->site->stack, session->site->name, directory, 14);
}

static const char *thread_words(struct arena *arena, const struct profile_session *session)
{
    const char *name = sheet_clean(arena, session->thread, 40);
    if (session->tid == 0)
        return name[0] ? arena_format(arena, "thread %s", name) : NULL;
    return name[0] ? arena_format(arena, "thread %s (tid %u)", name, session->tid)
                   : arena_format(arena, "tid %u", session->tid);
}

static void print_head(const struct text *text, const struct profile_session *session,
                       uint64_t alike)
{
    const struct sheet *sheet = &text->sheet;
    struct arena *arena = sheet->arena;
    const char *age = sheet_duration(arena, session->age_ns);
    const char *place = session->unseen ? "(pre-existing: no acquire backtrace)"
                        : session->site ? sheet_frame(arena, session->site->name,
                                                      session->process->header->directory)
                                        : "(open before the trace began)";
    if (session->age_least)
        age = arena_format(arena, "≥ %s", age);
    sheet_print(sheet, SHEET_BOLD, "%*s", (int)(12 + strlen(age) - sheet_columns(age)), age);
    if (alike > 1)
        sheet_print(sheet, SHEET_BOLD, "  %" PRIu64 " sessions", alike);
    fprintf(sheet->out, "  %s\n", place);
}

// alike: how many sessions are shown as this one.
static void print_session(const struct text *text, const struct profile_session *session,
                          uint64_t alike)
{
    const struct sheet *sheet = &text->sheet;
    struct arena *arena = sheet->arena;
    const char *directory = session->process->header->directory;
    print_head(text, session, alike);
    struct sheet_line line = sheet_line_begin(sheet, 14);
    sheet_line_add(&line, SHEET_PLAIN, profile_kind_name(session->kind));
    sheet_line_add(&line, SHEET_PLAIN, thread_words(arena, session));
    if (session->database[0])
        sheet_line_add(
            &line, SHEET_PLAIN,
            arena_format(
                arena, "db %s",
                sheet_clean(arena, owners_relative_path(session->database, directory), 60)));
    if (session->pool)
        sheet_line_add(&line, SHEET_PLAIN,
                       arena_format(arena, "from %s", text_pool_name(arena, session->pool)));
    if (session->test[0])
        sheet_line_add(&line, SHEET_PLAIN,
                       arena_format(arena, "test %s", sheet_clean(arena, session->test, 80)));
    if (session->task[0])
        sheet_line_add(&line, SHEET_PLAIN,
                       arena_format(arena, "task %s", sheet_clean(arena, session->task, 60)));
    if (session->flags & TRACE_SESSION_TRANSACTION)
        sheet_line_add(&line, SHEET_WARN, "transaction open");
    sheet_line_add(&line, SHEET_WARN, session->overdue ? "overdue" : "");
    if (session->unseen)
        sheet_line_add(&line, SHEET_PLAIN, text_holder(arena, session));
    else
        sheet_line_add(&line, SHEET_WARN, profile_session_condition(session));
    if (session->age_most_ns > 0)
        sheet_line_add(&line, SHEET_PLAIN,
                       arena_format(arena, "for at most %s, the age of its connection",
                                    sheet_duration(arena, session->age_most_ns)));
    if (text->profile->processes.count > 1)
        sheet_line_add(&line, SHEET_DIM,
                       arena_format(arena, "pid %u", session->process->header->pid));
    sheet_line_end(&line);
    if (session->detail[0])
        fprintf(
            sheet->out, "%14s%s: %s\n", "",
            text_statement_label(session->flags & (TRACE_SESSION_REFUSED | TRACE_SESSION_ZOMBIE)),
            sheet_clean(arena, session->detail, sheet->width - 40));
    if (session->site)
        print_callers(text, session);
    if (session->now)
        text_now(text, session);
}

// Whether a reader would see no difference: many were open before the attach, and little is known.
static bool is_alike(struct arena *arena, const struct profile_session *a,
                     const struct profile_session *b)
{
    return a->unseen && b->unseen && a->process == b->process && a->kind == b->kind &&
           a->pool == b->pool && a->tid == b->tid && a->flags == b->flags &&
           strcmp(a->thread, b->thread) == 0 && strcmp(a->task, b->task) == 0 &&
           strcmp(a->database, b->database) == 0 &&
           strcmp(text_holder(arena, a), text_holder(arena, b)) == 0;
}

// How many listed sessions look like number `i`; 0: it was shown with an earlier one.
static uint64_t count_alike(const struct text *text, size_t i)
{
    const struct profile *profile = text->profile;
    const struct profile_session *session = profile->sessions.item[i];
    uint64_t alike = 1;
    for (size_t j = 0; j < profile->sessions.count && session->unseen; j++) {
        if (j == i || !profile_session_is_listed(profile, profile->sessions.item[j]) ||
            !is_alike(text->sheet.arena, session, profile->sessions.item[j]))
            continue;
        if (j < i)
            return 0;
        alike++;
    }
    return alike;
}

void text_held(const struct profile *profile, const struct render_options *options, FILE *out)
{
    struct text text = {
        .profile = profile, .options = options, .sheet = sheet_new(out, profile->arena)};
    const struct sheet *sheet = &text.sheet;
    size_t listed = 0;
    size_t shown = 0;
    for (size_t i = 0; i < profile->sessions.count; i++)
        listed += profile_session_is_listed(profile, profile->sessions.item[i]);
    const struct profile_process *first =
        profile->processes.count ? profile->processes.item[0] : NULL;
    if (profile->processes.count == 1)
        sheet_print(sheet, SHEET_BOLD, "unclosed: %s[%u]", text_program_name(sheet->arena, first),
                    first->header->pid);
    else
        sheet_print(sheet, SHEET_BOLD, "unclosed: %zu processes", profile->processes.count);
    fprintf(sheet->out, " %s %s\n", profile->running ? "holds" : "held at its end",
            text_count(sheet->arena, listed, "session", "sessions"));
    for (size_t i = 0; i < profile->sessions.count; i++) {
        uint64_t alike = profile_session_is_listed(profile, profile->sessions.item[i])
                             ? count_alike(&text, i)
                             : 0;
        if (alike == 0)
            continue;
        if (options->limit > 0 && shown >= options->limit)
            break;
        print_session(&text, profile->sessions.item[i], alike);
        shown += alike;
    }
    if (shown < listed)
        fprintf(sheet->out, "%zu more (-n 0 for all)\n", listed - shown);
    text_now_pause(&text);
    for (size_t i = 0; i < profile->problems.count; i++)
        sheet_wrap(sheet, SHEET_WARN, 0,
                   sheet_clean(sheet->arena,
                               arena_format(sheet->arena, "note: %s", profile->problems.item[i]),
                               0));
    sheet_end(&text.sheet);
}
