// The sites of the text report: what is wrong at each, its code, and how it was reached.
#include <inttypes.h>
#include <string.h>

#include "report/code/owners.h"
#include "report/render/changes.h"
#include "report/render/text/text.h"

enum {
    DETAILS_SHOWN = 3,
    VERDICT_COLUMN = 56, // verdicts begin here at the latest, or go into a line of their own
};

static const char *directory_of(const struct profile_site *site)
{
    return site->process->header->directory;
}

// What the numbers say about the kind of bug. A process that still runs may still close.
static const char *verdict(const struct text *text, const struct profile_site *site)
{
    struct arena *arena = text->sheet.arena;
    const struct profile_tally *tally = &site->tally;
    uint64_t judged = profile_judged(tally);
    if (tally->never_closed == 0)
        return arena_format(arena, "%" PRIu64 " of %" PRIu64 " held too long", tally->late, judged);
    const char *numbers =
        arena_format(arena, "%" PRIu64 " of %" PRIu64, tally->never_closed, judged);
    if (tally->held > 0)
        return tally->held == tally->never_closed
                   ? arena_format(arena, "%s held now", numbers)
                   : arena_format(arena, "%s not closed by the code so far", numbers);
    const char *pattern = profile_pattern(site);
    if (site->exceptions >= judged)
        pattern = arena_format(arena, "left by an exception in %" PRIu64, site->exceptions);
    else if (site->exceptions > 0)
        pattern = arena_format(arena, "%s, an exception in %" PRIu64, pattern, site->exceptions);
    return arena_format(arena, "%s never closed%s%s", numbers, pattern[0] ? ": " : "", pattern);
}

static void add_number(struct sheet_line *line, const char *label, uint64_t number)
{
    if (number > 0)
        sheet_line_add(line, SHEET_PLAIN,
                       arena_format(line->sheet->arena, "%s %" PRIu64, label, number));
}

// Databases below the working directory are named from there.
static const char *database_names(const struct text *text, const struct profile_site *site)
{
    profile_names shortened = {0};
    for (size_t i = 0; i < site->databases.count; i++)
        profile_count_name(text->sheet.arena, &shortened,
                           owners_relative_path(site->databases.item[i].name, directory_of(site)),
                           site->databases.item[i].count);
    return text_names(text->sheet.arena, "db", "dbs", &shortened);
}

static void print_facts(const struct text *text, const struct profile_site *site)
{
    struct arena *arena = text->sheet.arena;
    const struct profile_tally *tally = &site->tally;
    struct sheet_line line = sheet_line_begin(&text->sheet, 6);
    sheet_line_add(&line, SHEET_PLAIN, profile_kind_name(site->kind));
    add_number(&line, "held now", tally->held);
    add_number(&line, "open at the end", tally->live - tally->held - tally->lost);
    add_number(&line, "of ended threads", tally->thread_ended);
    add_number(&line, "dropped, their places in the pool are lost", tally->lost);
    add_number(&line, "reclaimed by the collector",
               tally->reclaimed - tally->shutdown - tally->request);
    add_number(&line, "closed by the end of the request", tally->request);
    add_number(&line, "closed by interpreter shutdown", tally->shutdown);
    add_number(&line, "close refused (SQLITE_BUSY), still open", tally->refused);
    add_number(&line, "zombie (closed with children alive)", tally->zombie);
    add_number(&line, "transaction open in", site->in_transaction);
    add_number(&line, "overdue", tally->overdue);
    add_number(&line, "held too long", tally->never_closed ? tally->late : 0);
    add_number(&line, "held for less than the threshold", tally->below);
    add_number(&line, "being released", tally->releasing);
    add_number(&line, "under way", tally->under_way);
    sheet_line_add(&line, SHEET_PLAIN,
                   arena_format(arena, "longest %s%s", site->longest_least ? "≥ " : "",
                                sheet_duration(arena, site->longest_ns)));
    sheet_line_add(&line, SHEET_PLAIN, text_names(arena, "thread", "threads", &site->threads));
    sheet_line_add(&line, SHEET_PLAIN, database_names(text, site));
    if (site->pool && text->profile->pools.count > 1)
        sheet_line_add(&line, SHEET_PLAIN,
                       arena_format(arena, "from %s", text_pool_name(arena, site->pool)));
    sheet_line_add(&line, SHEET_PLAIN, text_names(arena, "test", "tests", &site->tests));
    sheet_line_add(&line, SHEET_PLAIN, text_names(arena, "task", "tasks", &site->tasks));
    sheet_line_end(&line);
}

// The statements that kept SQLite from closing, or would have.
static void print_details(const struct text *text, const struct profile_site *site)
{
    struct arena *arena = text->sheet.arena;
    const profile_names *details = &site->details;
    const char *label = text_statement_label(site->tally.refused + site->tally.zombie > 0);
    for (size_t i = 0; i < details->count && i < DETAILS_SHOWN; i++)
        fprintf(text->sheet.out, "      %s: %s%s\n", label,
                sheet_clean(arena, details->item[i].name, text->sheet.width - 40),
                details->item[i].count > 1
                    ? arena_format(arena, "  (%" PRIu64 " times)", details->item[i].count)
                    : "");
    if (details->count > DETAILS_SHOWN)
        fprintf(text->sheet.out, "      and %s\n",
                text_count(arena, details->count - DETAILS_SHOWN, "other text", "other texts"));
}

static const char *caller_words(struct arena *arena, const struct frame *frame,
                                const char *directory)
{
    if (!frame->file || frame->line == 0 || !frame->function)
        return sheet_frame(arena, frame, directory);
    return sheet_clean(arena,
                       arena_format(arena, "%s (%s:%u)", frame->function,
                                    owners_relative_path(frame->file, directory), frame->line),
                       0);
}

// The callers of the function that names the site, if there are several, with what each got:
// "called by save (open3.c:27) 5 of 15 · load (open3.c:36) 3 of 15".
static bool print_callers(const struct text *text, const struct profile_site *site)
{
    enum { MOST_CALLERS = 8 };
    struct arena *arena = text->sheet.arena;
    const size_t count = site->callers.count;
    if (count < 2)
        return false;
    const char *words = "called by";
    for (size_t i = 0; i < count && i < MOST_CALLERS; i++) {
        const struct profile_caller *caller = &site->callers.item[i];
        words = arena_format(arena, "%s%s %s %" PRIu64 " of %" PRIu64, words, i ? " ·" : "",
                             caller_words(arena, caller->frame, directory_of(site)),
                             caller->never_closed, caller->opened);
    }
    if (count > MOST_CALLERS)
        words = arena_format(arena, "%s · and %zu more callers", words, count - MOST_CALLERS);
    sheet_wrap(&text->sheet, SHEET_DIM, 6, words);
    return true;
}

// The user's frame nearest to the acquire, if the site is named by another stack or frame.
static void print_taken(const struct text *text, const struct profile_site *site)
{
    if (!site->created || site->created->count == 0 || !site->stack)
        return;
    size_t index = frames_user(site->stack, 0);
    const struct frame *frame = index < site->stack->count ? &site->stack->frame[index] : NULL;
    bool named_by_created = site->name >= site->created->frame &&
                            site->name < site->created->frame + site->created->count;
    if (!frame || !named_by_created ||
        (frame->line == site->name->line && frame->file && site->name->file &&
         strcmp(frame->file, site->name->file) == 0))
        return;
    text_frame(text, "taken at", frame, directory_of(site), 6);
}

static void print_stacks(const struct text *text, const struct profile_site *site)
{
    const char *directory = directory_of(site);
    bool created = site->created && site->created->count > 0;
    if (site->created && !created)
        sheet_print(&text->sheet, SHEET_DIM,
                    "      its session was created before the attach: this is where it took a "
                    "connection\n");
    if (text->options->all_frames) {
        if (created) {
            sheet_print(&text->sheet, SHEET_DIM, "      created at\n");
            text_whole_stack(text, site->created, directory, 8);
        }
        sheet_print(&text->sheet, SHEET_DIM, "      acquired at\n");
        text_whole_stack(text, site->stack, directory, 8);
        return;
    }
    if (site->via)
        text_frame(text, "through", site->via, directory, 6);
    print_taken(text, site);
    if (print_callers(text, site))
        return;
    const struct frames *stack = site->stack;
    if (created && site->name >= site->created->frame &&
        site->name < site->created->frame + site->created->count)
        stack = site->created;
    text_frames(text, stack, site->name, directory, 6);
}

static void print_site(const struct text *text, const struct profile_site *site, size_t number,
                       unsigned column)
{
    const struct sheet *sheet = &text->sheet;
    const char *place = sheet_frame(sheet->arena, site->name, directory_of(site));
    const char *words = verdict(text, site);
    if (site->change)
        words = arena_format(sheet->arena, "%s [%s]", words, change_name(site->change));
    unsigned used = (unsigned)fprintf(sheet->out, "%zu. ", number);
    sheet_print(sheet, SHEET_BOLD, "%s", place);
    used += sheet_columns(place);
    if (used + 2 <= column && column + sheet_columns(words) <= sheet->width)
        fprintf(sheet->out, "%*s", (int)(column - used), "");
    else if (used + 2 + sheet_columns(words) <= sheet->width)
        fputs("  ", sheet->out);
    else
        fputs("\n      ", sheet->out);
    sheet_print(sheet, site->tally.never_closed ? SHEET_BAD : SHEET_WARN, "%s\n", words);
    text_code(text, site->name, directory_of(site), 6);
    print_facts(text, site);
    text_growth(text, site);
    print_details(text, site);
    print_stacks(text, site);
}

// Where the verdicts of the first `count` sites begin: behind the longest name that leaves room.
static unsigned verdict_column(const struct text *text, size_t count)
{
    unsigned column = 0;
    for (size_t i = 0; i < count; i++) {
        const struct profile_site *site = text->profile->sites.item[i];
        unsigned used =
            sheet_columns(sheet_frame(text->sheet.arena, site->name, directory_of(site))) + 6;
        if (used > column && used <= VERDICT_COLUMN)
            column = used;
    }
    return column;
}

void text_sites(const struct text *text)
{
    const struct profile *profile = text->profile;
    size_t leaking = profile_leaking_count(profile); // these come first
    size_t shown = leaking;
    if (text->options->limit > 0 && shown > text->options->limit)
        shown = text->options->limit;
    unsigned column = verdict_column(text, shown);
    bool said = false;
    for (size_t i = 0; i < shown; i++) {
        fputc('\n', text->sheet.out);
        print_site(text, profile->sites.item[i], i + 1, column);
        if (said || !profile_with_is_no_close(profile, profile->sites.item[i]))
            continue;
        fputs("      note: `with conn:` commits or rolls back, it does not close\n",
              text->sheet.out);
        said = true;
    }
    if (shown < leaking)
        fprintf(text->sheet.out, "\n%s (-n 0 for all)\n",
                text_count(text->sheet.arena, leaking - shown, "more site", "more sites"));
}
