// The line of the text report that shows how a site's leak grew.
#include <inttypes.h>

#include "report/render/text/text.h"

enum { NUMBERS_SHOWN = 8, POINTS_LEAST = 4 };

static uint64_t most_of(const struct profile_growth *growth)
{
    uint64_t most = 0;
    for (unsigned i = 0; i < growth->count; i++)
        if (growth->least_out[i] > most)
            most = growth->least_out[i];
    return most;
}

// One character for each bucket, as high as its number.
static const char *sparkline(struct arena *arena, const struct profile_growth *growth)
{
    static const char *const bars[] = {"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"};
    enum { BARS = sizeof bars / sizeof bars[0] };
    uint64_t most = most_of(growth);
    const char *line = "";
    for (unsigned i = 0; i < growth->count; i++) {
        double part = (double)growth->least_out[i] / (double)most;
        line = arena_format(arena, "%s%s", line, bars[(unsigned)(part * (BARS - 1) + 0.5)]);
    }
    return line;
}

// At most NUMBERS_SHOWN of them, the last one apart: of neighbours the smallest.
static const char *numbers(struct arena *arena, const struct profile_growth *growth)
{
    unsigned count = growth->count - 1;
    unsigned merged = 1;
    while ((count + merged - 1) / merged > NUMBERS_SHOWN)
        merged *= 2;
    const char *list = "";
    for (unsigned i = 0; i < count; i += merged) {
        uint64_t least = growth->least_out[i];
        for (unsigned j = i + 1; j < i + merged && j < count; j++)
            if (growth->least_out[j] < least)
                least = growth->least_out[j];
        list = arena_format(arena, "%s%" PRIu64 " ", list, least);
    }
    return arena_format(arena, "%s(minimum in each %s)", list,
                        sheet_duration(arena, growth->width_ns * merged));
}

void text_growth(const struct text *text, const struct profile_site *site)
{
    const struct profile_growth *growth = &site->growth;
    struct arena *arena = text->sheet.arena;
    if (site->tally.never_closed == 0 || growth->width_ns == 0 || growth->count < POINTS_LEAST ||
        most_of(growth) == 0)
        return;
    struct sheet_line line = sheet_line_begin(&text->sheet, 6);
    sheet_line_add(&line, SHEET_PLAIN,
                   arena_format(arena, "held over time %s %s", sparkline(arena, growth),
                                numbers(arena, growth)));
    sheet_line_add(&line, SHEET_PLAIN,
                   arena_format(arena, "%" PRIu64 " %s", growth->least_out[growth->count - 1],
                                site->tally.held ? "now" : "at the end"));
    if (profile_grows(growth))
        sheet_line_add(&line, SHEET_BAD, site->tally.held ? "grows" : "grew");
    sheet_line_end(&line);
}
