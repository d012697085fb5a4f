// The part of the text report about sites that open sessions in tight loops.
#include <inttypes.h>

#include "report/render/text/text.h"

static void print_site(const struct text *text, const struct profile_site *site,
                       const struct profile_churn *churn)
{
    struct arena *arena = text->sheet.arena;
    const char *directory = site->process->header->directory;
    fprintf(text->sheet.out, "      %s\n", sheet_frame(arena, site->name, directory));
    text_code(text, site->name, directory, 8);
    struct sheet_line line = sheet_line_begin(&text->sheet, 8);
    sheet_line_add(
        &line, SHEET_PLAIN,
        arena_format(arena, "%" PRIu64 " %ss", site->tally.opened, profile_kind_name(site->kind)));
    sheet_line_add(&line, SHEET_WARN,
                   arena_format(arena, "%s per second", text_decimal(arena, churn->rate)));
    sheet_line_add(
        &line, SHEET_PLAIN,
        arena_format(arena, "median hold about %s", sheet_duration(arena, churn->median_ns)));
    sheet_line_add(&line, SHEET_PLAIN,
                   arena_format(arena, "longest %s", sheet_duration(arena, site->longest_ns)));
    sheet_line_end(&line);
}

void text_churn(const struct text *text)
{
    const struct profile *profile = text->profile;
    struct profile_churn churn;
    size_t found = 0;
    unsigned limit = text->options->limit;
    for (size_t i = 0; i < profile->sites.count; i++) {
        const struct profile_site *site = profile->sites.item[i];
        if (!profile_site_churns(site, &churn) || (++found > limit && limit > 0))
            continue;
        if (found == 1)
            sheet_print(&text->sheet, SHEET_BOLD,
                        "\nchurn: opened again and again, for a moment each\n");
        print_site(text, site, &churn);
    }
    if (limit > 0 && found > limit)
        fprintf(text->sheet.out, "      and %s (-n 0 for all)\n",
                text_count(text->sheet.arena, found - limit, "more site", "more sites"));
}
