// Suppressions for what is never closed, to be put into a file: see profile/suppressions.h.
//
// They are what a user may start from; a pattern that would fit every session of a program is
// written as a comment.
#include <inttypes.h>
#include <string.h>

#include "report/code/map.h"
#include "report/code/owners.h"
#include "report/render/plain.h"
#include "report/render/renderer.h"

// Frames that are in every stack of their program.
static bool is_everywhere(const char *function)
{
    static const char *const names[] = {"main", "<module>", "<lambda>", "<main>", "{main}", NULL};
    for (const char *const *name = names; *name; name++)
        if (strcmp(*name, function) == 0)
            return true;
    return false;
}

// The text as a pattern: "*" for what a pattern cannot say, or a terminal should not be told.
static char *as_pattern(struct arena *arena, const char *text)
{
    char *pattern = arena_text(arena, text);
    char *to = pattern;
    for (const char *at = text; *at; at++) {
        const bool plain = *at > ' ' - 1 && *at < 0x7f && !strchr("*^$", *at);
        if (plain)
            *to++ = *at;
        else if (to == pattern || to[-1] != '*')
            *to++ = '*';
    }
    *to = 0;
    return pattern;
}

static const char *pattern_of(struct arena *arena, const struct frame *frame)
{
    if (frame && frame->function && frame->function[0])
        return arena_format(arena, "^%s$", as_pattern(arena, frame->function));
    if (frame && frame->module)
        return arena_format(arena, "/%s$", as_pattern(arena, owners_base_name(frame->module)));
    return NULL;
}

static void print_site(const struct profile *profile, const struct profile_site *site,
                       struct map *printed, FILE *out)
{
    struct arena *arena = profile->arena;
    const char *pattern = pattern_of(arena, site->name);
    const char *line = pattern ? arena_format(arena, "leak:%s", pattern) : NULL;
    if (line && map_get_text(printed, line))
        return;
    fputs("# ", out);
    plain_print(site->name ? plain_frame(arena, site->name) : "no backtrace", NULL, out);
    fprintf(out, ": %" PRIu64 " of %" PRIu64 " never closed\n", site->tally.never_closed,
            profile_judged(&site->tally));
    if (!line)
        return;
    map_add_text(arena, printed, line, (void *)line);
    const bool everywhere = site->name->function && is_everywhere(site->name->function);
    fprintf(out, "%s%s%s\n", everywhere ? "# " : "", line,
            everywhere ? "  (would fit every session of its program)" : "");
}

void supp_report(const struct profile *profile, const struct render_options *options, FILE *out)
{
    struct map printed = {0};
    (void)options;
    for (size_t i = 0; i < profile->sites.count; i++) {
        const struct profile_site *site = profile->sites.item[i];
        if (site->tally.never_closed > 0 && site->kind != TRACE_STATEMENT)
            print_site(profile, site, &printed, out);
    }
    map_clear(&printed);
}
