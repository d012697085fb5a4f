// The part of the text report about suppressions: which were used how often, and which were not.
#include <inttypes.h>

#include "report/profile/suppressions.h"
#include "report/render/text/text.h"

static void print_one(const struct text *text, const struct suppression *one)
{
    struct arena *arena = text->sheet.arena;
    fprintf(text->sheet.out, "  %8" PRIu64 "  %s", one->used,
            sheet_clean(arena, arena_format(arena, "%s:%s", one->kind, one->pattern), 0));
    sheet_print(&text->sheet, SHEET_DIM, "  %s\n",
                sheet_clean(arena,
                            arena_format(arena, "%s:%u%s%s", one->file, one->line,
                                         one->reason[0] ? "  " : "", one->reason),
                            0));
}

void text_suppressions(const struct text *text)
{
    const struct suppressions *suppressions = text->profile->suppressions;
    uint64_t used = 0;
    size_t unused = 0;
    for (size_t i = 0; suppressions && i < suppressions->list.count; i++) {
        used += suppressions->list.item[i].used;
        unused += suppressions->list.item[i].used == 0;
    }
    if (used > 0)
        sheet_print(&text->sheet, SHEET_BOLD, "\nsuppressed: %s\n",
                    text_count(text->sheet.arena, used, "session", "sessions"));
    for (size_t i = 0; used > 0 && i < suppressions->list.count; i++)
        if (suppressions->list.item[i].used > 0)
            print_one(text, &suppressions->list.item[i]);
    if (unused > 0)
        sheet_print(&text->sheet, SHEET_BOLD, "\nnot used: %s\n",
                    text_count(text->sheet.arena, unused, "suppression", "suppressions"));
    for (size_t i = 0; unused > 0 && i < suppressions->list.count; i++)
        if (suppressions->list.item[i].used == 0)
            print_one(text, &suppressions->list.item[i]);
}
