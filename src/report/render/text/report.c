// The report as text for people: the order of its parts, processes and totals.
//
// Sites, pools and events have files of their own. The last line begins with "SUMMARY:".
#include <inttypes.h>
#include <string.h>

#include "report/code/owners.h"
#include "report/render/changes.h"
#include "report/render/text/text.h"
#include "shared/trace_words.h"

enum { PROCESSES_SHOWN = 12 };

static const char *ended_words(const struct profile *profile, const struct profile_process *process)
{
    switch (process->state) {
    case READER_RUNNING:
        return "still running";
    case READER_EXEC:
        return "then executed another program";
    case READER_DETACHED:
        return "detached";
    case READER_SIGNALED:
        return arena_format(profile->arena, "killed by signal %d (%s)", process->header->end_status,
                            strsignal(process->header->end_status));
    case READER_GONE:
        return "no exit record (killed?)";
    default:
        return profile_ended(profile, process);
    }
}

static void print_one_process(const struct text *text, const struct profile_process *process)
{
    const struct sheet *sheet = &text->sheet;
    sheet_print(sheet, SHEET_BOLD, "unclosed: %s[%u]", text_program_name(sheet->arena, process),
                process->header->pid);
    fprintf(sheet->out, " %s%s, %s", process->end_known ? "" : "≥ ",
            sheet_duration(sheet->arena, process->seconds_ns), ended_words(text->profile, process));
    if (process->header->flags & TRACE_FLAG_ATTACHED)
        fputs(", attached while running", sheet->out);
    if (process->header->flags & TRACE_FLAG_RENEWED)
        fputs(", since an earlier trace of it was lost", sheet->out);
    fputc('\n', sheet->out);
    if (process->header->command[0])
        sheet_print(sheet, SHEET_DIM, "  %s\n",
                    sheet_clean(sheet->arena, process->header->command, sheet->width - 2));
}

static void print_process_table(const struct text *text)
{
    const struct sheet *sheet = &text->sheet;
    const struct profile *profile = text->profile;
    sheet_print(sheet, SHEET_BOLD, "unclosed: %zu processes", profile->processes.count);
    if (profile->running)
        fprintf(sheet->out, ", %" PRIu64 " still running", profile->running);
    fputc('\n', sheet->out);
    sheet_print(sheet, SHEET_DIM, "  %8s  %-20s  %11s  %12s  %12s  %s\n", "pid", "program", "time",
                "opened", "never closed", "ended");
    size_t shown = profile->processes.count;
    if (shown > PROCESSES_SHOWN && !text->options->all_frames)
        shown = PROCESSES_SHOWN;
    for (size_t i = 0; i < shown; i++) {
        const struct profile_process *process = profile->processes.item[i];
        const char *time = sheet_duration(sheet->arena, process->seconds_ns);
        int padding = (int)(11 + strlen(time) - sheet_columns(time)); // "µ" is two bytes
        fprintf(sheet->out, "  %8u  %-20s  %*s  %12" PRIu64 "  ", process->header->pid,
                sheet_clean(sheet->arena, text_program_name(sheet->arena, process), 20), padding,
                time, process->opened);
        sheet_print(sheet, process->never_closed ? SHEET_BAD : SHEET_PLAIN, "%12" PRIu64,
                    process->never_closed);
        fprintf(sheet->out, "  %s\n", ended_words(profile, process));
    }
    if (shown < profile->processes.count)
        fprintf(sheet->out, "  and %zu more (--frames lists all)\n",
                profile->processes.count - shown);
}

static void add_number(struct sheet_line *line, enum sheet_style style, const char *label,
                       uint64_t number, bool even_zero)
{
    if (number > 0 || even_zero)
        sheet_line_add(line, number > 0 ? style : SHEET_PLAIN,
                       arena_format(line->sheet->arena, "%s %" PRIu64, label, number));
}

// "never closed 45 (live 18, reclaimed by the collector 27)"
static const char *never_closed_words(const struct text *text, const struct profile_tally *tally)
{
    struct arena *arena = text->sheet.arena;
    const struct {
        const char *label;
        uint64_t number;
    } parts[] = {
        {"held now", tally->held},
        {"open at the end", tally->live - tally->held - tally->lost},
        {"dropped, never back in the pool", tally->lost},
        {"reclaimed by the collector", tally->reclaimed - tally->shutdown - tally->request},
        {"closed by the end of the request", tally->request},
        {"closed by interpreter shutdown", tally->shutdown},
        {"close refused", tally->refused},
        {"zombie", tally->zombie},
    };
    const char *list = "";
    for (size_t i = 0; i < sizeof parts / sizeof parts[0]; i++)
        if (parts[i].number > 0)
            list = arena_format(arena, "%s%s%s %" PRIu64, list, list[0] ? ", " : "", parts[i].label,
                                parts[i].number);
    const char *label = tally->held ? "not closed" : "never closed";
    if (!list[0] && tally->closer_unknown)
        return arena_format(arena, "%s: not known", label);
    if (!list[0])
        return arena_format(arena, "%s 0", label);
    return arena_format(arena, "%s %" PRIu64 " (%s)", label, tally->never_closed, list);
}

// "released 40 (at scope end 12, at exit 1)"
static const char *released_words(struct arena *arena, const struct profile_tally *tally)
{
    const char *words = arena_format(arena, "released %" PRIu64, tally->released);
    if (tally->scope_end)
        words = arena_format(arena, "%s (at scope end %" PRIu64 "%s", words, tally->scope_end,
                             tally->at_exit ? "" : ")");
    if (tally->at_exit)
        words = arena_format(arena, "%s%sat exit %" PRIu64 ")", words,
                             tally->scope_end ? ", " : " (", tally->at_exit);
    return words;
}

static void print_total(const struct text *text, enum trace_kind kind)
{
    const struct profile_tally *tally = &text->profile->totals[kind];
    if (tally->opened == 0 && tally->inherited == 0 && tally->failed == 0)
        return;
    struct arena *arena = text->sheet.arena;
    fputs("  ", text->sheet.out);
    sheet_print(&text->sheet, SHEET_BOLD, "%-10s",
                arena_format(arena, "%ss", profile_kind_name(kind)));
    struct sheet_line line = {.sheet = &text->sheet, .indent = 14, .column = 14};
    fputs("  ", text->sheet.out);
    add_number(&line, SHEET_PLAIN, "opened", tally->opened, true);
    sheet_line_add(&line, SHEET_PLAIN, released_words(arena, tally));
    add_number(&line, SHEET_PLAIN, "discarded", tally->discarded, false);
    sheet_line_add(&line,
                   tally->never_closed     ? SHEET_BAD
                   : tally->closer_unknown ? SHEET_WARN
                                           : SHEET_GOOD,
                   never_closed_words(text, tally));
    add_number(&line, SHEET_WARN, "closed by a runtime, not known why", tally->closer_unknown,
               false);
    add_number(&line, SHEET_PLAIN, "kept open by pools", tally->pooled, false);
    add_number(&line, SHEET_PLAIN, "held for less than the threshold", tally->below, false);
    add_number(&line, SHEET_PLAIN, "being released", tally->releasing, false);
    add_number(&line, SHEET_PLAIN, "under way", tally->under_way, false);
    add_number(&line, SHEET_WARN, "overdue", tally->overdue, false);
    add_number(&line, SHEET_WARN, "held too long", tally->late, false);
    add_number(&line, SHEET_PLAIN, "release not seen", tally->unseen, false);
    add_number(&line, SHEET_PLAIN, text_inherited_label(&text->profile->inherited[kind]),
               tally->inherited, false);
    add_number(&line, SHEET_WARN, "failed", tally->failed, false);
    add_number(&line, SHEET_PLAIN, "suppressed", tally->suppressed, false);
    sheet_line_end(&line);
}

static void print_note(const struct text *text, const struct profile_process *process,
                       const char *note)
{
    if (note)
        sheet_wrap(
            &text->sheet, SHEET_WARN, 2,
            arena_format(text->sheet.arena, "note: process %u: %s", process->header->pid, note));
}

// What is not seen of interpreters.
static void print_notes(const struct text *text)
{
    for (size_t i = 0; i < text->profile->processes.count; i++) {
        const struct profile_process *process = text->profile->processes.item[i];
        print_note(text, process, profile_python_note(text->sheet.arena, process));
        print_note(text, process, profile_python_besides(process));
        for (size_t runtime = 0; runtime < TRACE_RUNTIMES; runtime++)
            print_note(text, process, profile_runtime_note(text->sheet.arena, process, runtime));
    }
}

static void print_lost(const struct text *text)
{
    for (size_t i = 0; i < text->profile->processes.count; i++) {
        const struct profile_process *process = text->profile->processes.item[i];
        for (int reason = 0; reason < TRACE_LOST_REASONS; reason++)
            if (process->header->lost[reason])
                sheet_wrap(
                    &text->sheet, SHEET_WARN, 2,
                    arena_format(
                        text->sheet.arena,
                        "lost: %s of process %u: %s; the numbers here may be too low by as many",
                        text_count(text->sheet.arena, process->header->lost[reason], "record",
                                   "records"),
                        process->header->pid, trace_words_lost((enum trace_lost)reason)));
    }
}

static void print_problems(const struct text *text)
{
    for (size_t i = 0; i < text->profile->problems.count; i++)
        sheet_wrap(&text->sheet, SHEET_WARN, 2,
                   sheet_clean(
                       text->sheet.arena,
                       arena_format(text->sheet.arena, "note: %s", text->profile->problems.item[i]),
                       0));
}

// "limit: 3 sessions of test a.py::test_b never closed, at most 2 may be"
static void print_excesses(const struct text *text)
{
    struct arena *arena = text->sheet.arena;
    for (size_t i = 0; i < text->profile->excesses.count; i++) {
        const struct profile_excess *excess = &text->profile->excesses.item[i];
        const char *name = excess->of[0] ? arena_format(arena, " of %s %s", excess->of,
                                                        sheet_clean(arena, excess->name, 0))
                                         : "";
        const char *words =
            excess->held
                ? arena_format(arena, "limit: a session%s was held for %s, at most %s is allowed",
                               name, sheet_duration(arena, excess->value),
                               sheet_duration(arena, excess->most))
                : arena_format(arena, "limit: %s%s never closed, at most %" PRIu64 " allowed",
                               text_count(arena, excess->value, "session", "sessions"), name,
                               excess->most);
        if (i == 0)
            fputc('\n', text->sheet.out);
        sheet_wrap(&text->sheet, SHEET_BAD, 2, words);
    }
}

// What is not as the baseline has it.
static void print_changes(const struct text *text)
{
    const struct comparison *comparison = text->profile->comparison;
    if (!comparison)
        return;
    fputc('\n', text->sheet.out);
    sheet_print(&text->sheet, SHEET_BOLD, "baseline %s",
                sheet_clean(text->sheet.arena, comparison->before->source, 0));
    fprintf(text->sheet.out, ": %s\n", change_counts(text->sheet.arena, comparison, false));
    text_changes(&text->sheet, comparison, text->options->limit);
}

static void print_summary(const struct text *text)
{
    const struct profile *profile = text->profile;
    struct arena *arena = text->sheet.arena;
    uint64_t count = profile->total.never_closed;
    size_t sites = 0;
    for (size_t i = 0; i < profile->sites.count; i++)
        sites += profile->sites.item[i]->tally.never_closed > 0 &&
                 profile->sites.item[i]->kind != TRACE_STATEMENT;
    fputc('\n', text->sheet.out);
    sheet_print(&text->sheet, count ? SHEET_BAD : SHEET_GOOD, "SUMMARY:");
    fprintf(text->sheet.out, " %s %s", text_count(arena, count, "session", "sessions"),
            profile->total.held ? "not closed" : "never closed");
    if (count > 0)
        fprintf(text->sheet.out, ", %s, %s", text_count(arena, sites, "site", "sites"),
                text_count(arena, profile_file_count(profile), "file", "files"));
    uint64_t suppressed = 0;
    for (int kind = TRACE_HANDLE; kind < TRACE_KINDS; kind++)
        suppressed += kind == TRACE_STATEMENT ? 0 : profile->totals[kind].suppressed;
    if (suppressed > 0)
        fprintf(text->sheet.out, "; %" PRIu64 " suppressed", suppressed);
    if (profile->comparison)
        fprintf(text->sheet.out, " (sites: %s)", change_counts(arena, profile->comparison, false));
    if (profile->total.closer_unknown)
        fprintf(text->sheet.out, "; %" PRIu64 " closed by a runtime, not known why",
                profile->total.closer_unknown);
    if (profile->total.late)
        fprintf(text->sheet.out, "; %" PRIu64 " held too long", profile->total.late);
    if (profile->running)
        fputs(profile->processes.count == 1 ? "; still running" : "; some still run",
              text->sheet.out);
    fputc('\n', text->sheet.out);
}

void text_report(const struct profile *profile, const struct render_options *options, FILE *out)
{
    struct text text = {
        .profile = profile,
        .options = options,
        .sheet = sheet_new(out, profile->arena),
    };
    text_exhaustions(&text);
    if (profile->processes.count == 1)
        print_one_process(&text, profile->processes.item[0]);
    else
        print_process_table(&text);
    for (int kind = TRACE_HANDLE; kind < TRACE_KINDS; kind++)
        print_total(&text, (enum trace_kind)kind);
    print_notes(&text);
    print_lost(&text);
    text_pools(&text);
    if (options->group_by == GROUP_BY_SITE)
        text_sites(&text);
    else
        text_groups(&text);
    text_churn(&text);
    text_misuses(&text);
    text_inherited(&text);
    text_unseen(&text);
    print_problems(&text);
    text_suppressions(&text);
    print_changes(&text);
    print_excesses(&text);
    print_summary(&text);
    sheet_end(&text.sheet);
}
