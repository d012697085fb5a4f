// What changed between two runs, as text: see changes.h.
#include "report/render/changes.h"

#include <inttypes.h>
#include <string.h>

#include "report/render/text/words.h"

const char *change_name(enum profile_change change)
{
    static const char *const names[PROFILE_CHANGES] = {
        [PROFILE_UNCOMPARED] = "",   [PROFILE_NEW] = "new",     [PROFILE_WORSE] = "worse",
        [PROFILE_BETTER] = "better", [PROFILE_KNOWN] = "known", [PROFILE_GONE] = "gone",
    };
    return change > 0 && change < PROFILE_CHANGES ? names[change] : "";
}

const char *change_counts(struct arena *arena, const struct comparison *comparison, bool all)
{
    const char *words = "";
    for (int change = PROFILE_NEW; change < PROFILE_CHANGES; change++)
        if (comparison->count[change] > 0 || all)
            words =
                arena_format(arena, "%s%s%zu %s", words, words[0] ? ", " : "",
                             comparison->count[change], change_name((enum profile_change)change));
    return words[0] ? words : "nothing leaks";
}

static const char *place_of(struct arena *arena, const struct entry *entry)
{
    const char *line = entry->line ? arena_format(arena, ":%u", entry->line) : "";
    const char *name = entry->name[0] ? entry->name : "(no name)";
    return sheet_clean(
        arena, arena_format(arena, "%s%s%s%s", entry->file, line, entry->file[0] ? " " : "", name),
        0);
}

// "5 of 15 never closed", or the share if that is all there is.
static const char *leak_words(struct arena *arena, const struct entry *entry)
{
    if (!entry)
        return "";
    if (entry->judged > 0)
        return arena_format(arena, "%" PRIu64 " of %" PRIu64 " never closed", entry->never_closed,
                            entry->judged);
    return arena_format(arena, "%u %% never closed", entry->share);
}

static const char *outcome_words(struct arena *arena, unsigned outcomes)
{
    const char *words = "";
    for (unsigned i = 0; i < ENTRY_OUTCOMES; i++)
        if (outcomes & 1U << i)
            words = arena_format(arena, "%s%s%s", words, words[0] ? " and " : "",
                                 entry_outcome_name(1U << i));
    return words;
}

static const char *change_words(struct arena *arena, const struct change *change)
{
    if (change->change == PROFILE_NEW)
        return leak_words(arena, change->after);
    if (change->change == PROFILE_GONE)
        return arena_format(arena, "was %s%s", leak_words(arena, change->before),
                            change->after ? ", is closed now" : "; not seen now");
    const char *words = leak_words(arena, change->after);
    if (change->before && change->after && change->before->share != change->after->share)
        words = arena_format(arena, "%s (%u %%), was %u %%", words, change->after->share,
                             change->before->share);
    if (change->outcomes)
        words =
            arena_format(arena, "%s; now also %s", words, outcome_words(arena, change->outcomes));
    return words;
}

static void print_change(const struct sheet *sheet, const struct change *change)
{
    static const enum sheet_style styles[PROFILE_CHANGES] = {
        [PROFILE_NEW] = SHEET_BAD,
        [PROFILE_WORSE] = SHEET_BAD,
        [PROFILE_BETTER] = SHEET_GOOD,
        [PROFILE_GONE] = SHEET_GOOD,
    };
    const struct entry *entry = change->after ? change->after : change->before;
    struct arena *arena = sheet->arena;
    fputs("  ", sheet->out);
    sheet_print(sheet, styles[change->change], "%-6s", change_name(change->change));
    fputs("  ", sheet->out);
    sheet_print(sheet, SHEET_BOLD, "%s", place_of(arena, entry));
    fputc('\n', sheet->out);
    struct sheet_line line = sheet_line_begin(sheet, 10);
    sheet_line_add(&line, SHEET_PLAIN, sheet_clean(arena, entry->kind, 0));
    sheet_line_add(&line, SHEET_PLAIN, change_words(arena, change));
    if (change->moved)
        sheet_line_add(
            &line, SHEET_PLAIN,
            arena_format(arena, "moved from %s", sheet_clean(arena, change->before->file, 0)));
    sheet_line_end(&line);
    if (entry->code[0])
        sheet_print(sheet, SHEET_DIM, "          %s\n",
                    sheet_clean(arena, entry->code, sheet->width - 10));
}

void text_changes(const struct sheet *sheet, const struct comparison *comparison, unsigned limit)
{
    size_t count = 0;
    for (size_t i = 0; i < comparison->changes.count; i++)
        if (comparison->changes.item[i].change != PROFILE_KNOWN && (++count <= limit || limit == 0))
            print_change(sheet, &comparison->changes.item[i]);
    if (limit > 0 && count > limit)
        fprintf(sheet->out, "  and %s (-n 0 for all)\n",
                text_count(sheet->arena, count - limit, "more site", "more sites"));
}

void text_diff(struct arena *arena, const struct comparison *comparison, unsigned limit, FILE *out)
{
    struct sheet sheet = sheet_new(out, arena);
    const struct entries *sides[] = {comparison->before, comparison->after};
    sheet_print(&sheet, SHEET_BOLD, "unclosed: %s -> %s\n", sheet_clean(arena, sides[0]->source, 0),
                sheet_clean(arena, sides[1]->source, 0));
    for (int i = 0; i < 2; i++)
        if (sides[i]->blind)
            sheet_wrap(&sheet, SHEET_WARN, 2,
                       arena_format(arena, "note: %s did not see everything (see its report)",
                                    sheet_clean(arena, sides[i]->source, 0)));
    text_changes(&sheet, comparison, limit);
    const bool bad = comparison->count[PROFILE_NEW] + comparison->count[PROFILE_WORSE] > 0;
    sheet_print(&sheet, bad ? SHEET_BAD : SHEET_GOOD, "SUMMARY:");
    fprintf(sheet.out, " %s\n", change_counts(arena, comparison, true));
    sheet_end(&sheet);
}
