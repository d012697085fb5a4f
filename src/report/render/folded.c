// The report as folded stacks: "outermost;...;innermost COUNT", for flame graphs.
//
// The count is of sessions never closed. The outermost frame is the kind of session: a checkout and
// the handle inside it are one connection, and are not to be added up.
#include <inttypes.h>

#include "report/render/plain.h"
#include "report/render/renderer.h"

// The format has no escapes.
static const char *escape(char character)
{
    return character == ';' ? ":" : NULL;
}

static void put_site(const struct profile *profile, const struct profile_site *site, FILE *out)
{
    fprintf(out, "%ss", profile_kind_name(site->kind));
    for (size_t i = site->stack ? site->stack->count : 0; i > 0; i--) {
        putc(';', out);
        plain_print(plain_frame(profile->arena, &site->stack->frame[i - 1]), escape, out);
    }
    if (!site->stack || site->stack->count == 0)
        fputs(";(no backtrace)", out);
    fprintf(out, " %" PRIu64 "\n", site->tally.never_closed);
}

void folded_report(const struct profile *profile, const struct render_options *options, FILE *out)
{
    (void)options; // whoever draws it hides what is not to be seen
    for (size_t i = 0; i < profile->sites.count; i++)
        if (profile->sites.item[i]->tally.never_closed > 0)
            put_site(profile, profile->sites.item[i], out);
}
