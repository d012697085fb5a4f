// Sessions that were open before the fork or attach, in the text report: how many, what became of
// them, and what is known of who holds them.
#include <inttypes.h>
#include <string.h>

#include "report/render/text/text.h"

enum { HOLDERS_SHOWN = 10 };

void text_add_inherited(struct sheet_line *line, const struct profile_inherited *counts)
{
    struct arena *arena = line->sheet->arena;
    uint64_t count = profile_inherited_count(counts);
    if (count == 0)
        return;
    const struct {
        uint64_t number;
        const char *label;
    } parts[] = {
        {counts->out, "still held"},
        {counts->pooled, "kept open by pools"},
        {counts->released, "released since"},
        {counts->reclaimed, "reclaimed since"},
        {counts->otherwise, "ended otherwise"},
    };
    const char *words = arena_format(arena, "%" PRIu64 " %s", count, text_inherited_label(counts));
    const char *separator = ": ";
    for (size_t i = 0; i < sizeof parts / sizeof *parts; i++) {
        if (parts[i].number == 0)
            continue;
        words = arena_format(arena, "%s%s%" PRIu64 " %s", words, separator, parts[i].number,
                             parts[i].label);
        separator = ", ";
    }
    sheet_line_add(line, SHEET_PLAIN, words);
}

// Counts those open before an attach by what holds them, and those before a fork.
struct groups_of_inherited {
    profile_names holders, threads, databases;
    uint64_t forked, used, longest_ns, most_ns, unknown_most;
};

static void add_session(struct arena *arena, struct groups_of_inherited *groups,
                        const struct profile_session *session)
{
    if (!session->unseen) {
        groups->forked++;
        groups->used += (session->flags & TRACE_SESSION_USED) != 0;
        profile_count_name(arena, &groups->databases, session->database, 1);
        return;
    }
    if (session->age_ns > groups->longest_ns)
        groups->longest_ns = session->age_ns;
    if (session->age_most_ns > groups->most_ns)
        groups->most_ns = session->age_most_ns;
    groups->unknown_most += session->age_most_ns == 0;
    profile_count_name(arena, &groups->holders, text_holder(arena, session), 1);
    profile_count_name(arena, &groups->threads, session->thread, 1);
}

static void print_forked(const struct text *text, const struct groups_of_inherited *groups)
{
    struct arena *arena = text->sheet.arena;
    if (groups->forked == 0)
        return;
    fprintf(text->sheet.out, "\ninherited: %s open before the fork\n      %" PRIu64 " used since",
            text_count(arena, groups->forked, "session was", "sessions were"), groups->used);
    const char *names = text_names(arena, "db", "dbs", &groups->databases);
    fprintf(text->sheet.out, "%s%s\n", names ? " · " : "", names ? names : "");
}

static void print_kind(const struct text *text, enum trace_kind kind)
{
    const struct profile_inherited *counts = &text->profile->inherited[kind];
    struct sheet_line line = sheet_line_begin(&text->sheet, 6);
    sheet_line_add(&line, SHEET_PLAIN,
                   arena_format(text->sheet.arena, "%ss", profile_kind_name(kind)));
    text_add_inherited(&line, counts);
    sheet_line_end(&line);
}

static void print_holders(const struct text *text, const struct groups_of_inherited *groups)
{
    struct arena *arena = text->sheet.arena;
    if (groups->longest_ns > 0)
        sheet_wrap(
            &text->sheet, SHEET_PLAIN, 6,
            arena_format(arena, "still held: for at least %s%s",
                         sheet_duration(arena, groups->longest_ns),
                         groups->most_ns == 0 || groups->unknown_most > 0
                             ? ""
                             : arena_format(arena, ", at most %s (the age of the connection)",
                                            sheet_duration(arena, groups->most_ns))));
    for (size_t i = 0; i < groups->holders.count && i < HOLDERS_SHOWN; i++)
        sheet_wrap(&text->sheet, SHEET_PLAIN, 6,
                   arena_format(arena, "%" PRIu64 " %s", groups->holders.item[i].count,
                                groups->holders.item[i].name));
    if (groups->holders.count > HOLDERS_SHOWN)
        fprintf(text->sheet.out, "      and %s\n",
                text_count(arena, groups->holders.count - HOLDERS_SHOWN, "other holder",
                           "other holders"));
}

void text_inherited(const struct text *text)
{
    const struct profile *profile = text->profile;
    struct groups_of_inherited groups = {0};
    uint64_t listed = 0;
    uint64_t ended = 0;
    for (size_t i = 0; i < profile->sessions.count; i++) {
        const struct profile_session *session = profile->sessions.item[i];
        if (!(session->flags & TRACE_SESSION_INHERITED) || (session->flags & TRACE_SESSION_POOLED))
            continue;
        add_session(text->sheet.arena, &groups, session);
        listed += session->unseen;
    }
    print_forked(text, &groups);
    for (int kind = TRACE_HANDLE; kind < TRACE_KINDS; kind++)
        ended += profile->inherited[kind].released + profile->inherited[kind].reclaimed +
                 profile->inherited[kind].otherwise;
    if (listed + ended == 0)
        return;
    fputs("\npre-existing: opened before the attach, so there is no acquire backtrace\n",
          text->sheet.out);
    for (int kind = TRACE_HANDLE; kind < TRACE_KINDS; kind++)
        if (profile_inherited_count(&profile->inherited[kind]) > 0)
            print_kind(text, (enum trace_kind)kind);
    print_holders(text, &groups);
}
