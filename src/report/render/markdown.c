// A summary of the report in Markdown (GitHub's), for a pull request, a job or a chat.
//
// Texts of the trace stand in code spans: neither markup nor HTML, mentions or links are looked for
// there. They are cut where they would make the summary unreadable.
#include <inttypes.h>

#include "report/render/plain.h"
#include "report/render/renderer.h"
#include "report/render/tallies.h"

enum { MOST_BYTES = 160 };

struct markdown {
    const struct profile *profile;
    const struct render_options *options;
    FILE *out;
};

static size_t longest_run(const char *text, char character)
{
    size_t longest = 0;
    for (size_t run = 0; *text; text++) {
        run = *text == character ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    return longest;
}

// In a table a bar ends the cell even in a code span, unless there is a backslash in front.
static const char *escape_in_cell(char character)
{
    return character == '|' ? "\\|" : NULL;
}

// A text as a code span, which more backticks enclose than it has in a row. The spaces around are
// taken off again. in_cell: of a table.
static void put_code(const struct markdown *markdown, const char *text, bool in_cell)
{
    const char *clean = plain_text(markdown->profile->arena, text, MOST_BYTES);
    if (clean[strspn(clean, " ")] == '\0')
        return;
    const size_t ticks = longest_run(clean, '`') + 1;
    for (size_t i = 0; i < ticks; i++)
        putc('`', markdown->out);
    putc(' ', markdown->out);
    plain_print(clean, in_cell ? escape_in_cell : NULL, markdown->out);
    putc(' ', markdown->out);
    for (size_t i = 0; i < ticks; i++)
        putc('`', markdown->out);
}

static void put_count(FILE *out, uint64_t count, const char *one)
{
    fprintf(out, "%" PRIu64 " %s%s", count, one, count == 1 ? "" : "s");
}

static size_t leaking_sites(const struct profile *profile)
{
    size_t sites = 0;
    for (size_t i = 0; i < profile->sites.count; i++)
        sites += profile->sites.item[i]->tally.never_closed > 0 &&
                 profile->sites.item[i]->kind != TRACE_STATEMENT;
    return sites;
}

static void put_verdict(const struct markdown *markdown)
{
    const struct profile *profile = markdown->profile;
    FILE *out = markdown->out;
    fputs("### unclosed: ", out);
    put_count(out, profile->total.never_closed, "session");
    fputs(profile->total.held ? " not closed" : " never closed", out);
    if (profile->total.never_closed > 0) {
        fputs(", ", out);
        put_count(out, leaking_sites(profile), "site");
    }
    if (profile->total.late > 0)
        fprintf(out, "; %" PRIu64 " held too long", profile->total.late);
    if (profile->blind.count > 0)
        fputs("; not everything was seen", out);
    fputs("\n", out);
}

static void put_blind(const struct markdown *markdown)
{
    const struct profile *profile = markdown->profile;
    if (profile->blind.count > 0)
        fputs("\n**Not seen**, so that more may be open than is listed here:\n\n", markdown->out);
    for (size_t i = 0; i < profile->blind.count; i++) {
        const struct profile_blind *blind = profile->blind.item[i];
        fputs("- ", markdown->out);
        if (*blind->program) {
            put_code(markdown, blind->program, false);
            fputs(": ", markdown->out);
        }
        put_code(markdown, blind->reason, false);
        fputs("; ", markdown->out);
        put_code(markdown, blind->remedy, false);
        fputs("\n", markdown->out);
    }
}

static void put_totals(const struct markdown *markdown)
{
    FILE *out = markdown->out;
    fputs("\n| | opened | released | never closed |\n|---|--:|--:|--:|\n", out);
    for (int kind = TRACE_HANDLE; kind < TRACE_KINDS; kind++) {
        const struct profile_tally *tally = &markdown->profile->totals[kind];
        if (tally->opened > 0)
            fprintf(out, "| %ss | %" PRIu64 " | %" PRIu64 " | %" PRIu64 " |\n",
                    profile_kind_name((enum trace_kind)kind), tally->opened, tally->released,
                    tally->never_closed);
    }
}

static void put_site(const struct markdown *markdown, const struct profile_site *site)
{
    const struct profile *profile = markdown->profile;
    const char *directory = site->process->header->directory;
    FILE *out = markdown->out;
    const enum finding finding = finding_of(&site->tally);
    fprintf(out, "| %" PRIu64 " | %" PRIu64 " | %s | ", site->tally.never_closed,
            site->tally.opened, profile_kind_name(site->kind));
    put_code(markdown, plain_place(profile->arena, site->name, directory), true);
    if (!site->name)
        fputs("(no backtrace)", out);
    putc(' ', out);
    put_code(markdown, plain_function(site->name), true);
    const char *code = profile_code(profile, site->name, directory);
    if (*code)
        fputs("<br>", out);
    put_code(markdown, code, true);
    fprintf(out, " | %s", finding_words[finding].title);
    if (finding != FINDING_LATE && *profile_pattern(site))
        fprintf(out, "; %s", profile_pattern(site));
    if (site->tests.count > 0) {
        fputs(" in ", out);
        put_code(markdown, site->tests.item[0].name, true);
        if (site->tests.count > 1)
            fprintf(out, " and %zu more", site->tests.count - 1);
    }
    fputs(" |\n", out);
}

static void put_sites(const struct markdown *markdown)
{
    const struct profile *profile = markdown->profile;
    const size_t leaking = profile_leaking_count(profile);
    size_t shown = 0;
    if (leaking > 0)
        fputs("\n| never closed | opened | kind | where | what |\n|--:|--:|---|---|---|\n",
              markdown->out);
    for (size_t i = 0; i < profile->sites.count; i++) {
        if (!profile_site_leaks(profile->sites.item[i]))
            continue;
        if (markdown->options->limit > 0 && shown == markdown->options->limit)
            break;
        put_site(markdown, profile->sites.item[i]);
        shown++;
    }
    if (shown < leaking) {
        fputs("\nand ", markdown->out);
        put_count(markdown->out, leaking - shown, "more site");
        fputs(".\n", markdown->out);
    }
}

static void put_pool(const struct markdown *markdown, const struct profile_pool *pool)
{
    FILE *out = markdown->out;
    const uint64_t capacity = profile_pool_capacity(pool);
    fputs("- ", out);
    put_code(markdown, profile_pool_name(markdown->profile->arena, pool), false);
    fprintf(out, ": at most %" PRIu64 " out", pool->high_water);
    if (capacity > 0)
        fprintf(out, " of %" PRIu64, capacity);
    if (pool->waits > 0)
        fprintf(out, ", %" PRIu64 " waited", pool->waits);
    if (pool->timeouts > 0)
        fprintf(out, ", %" PRIu64 " timed out", pool->timeouts);
    else if (pool->failed > 0)
        fprintf(out, ", %" PRIu64 " failed", pool->failed);
    fputs("\n", out);
}

// Those that were full, or that somebody waited for.
static void put_pools(const struct markdown *markdown)
{
    size_t shown = 0;
    for (size_t i = 0; i < markdown->profile->pools.count; i++) {
        const struct profile_pool *pool = markdown->profile->pools.item[i];
        if (pool->waits == 0 && pool->failed == 0 && pool->timeouts == 0)
            continue;
        if (markdown->options->limit > 0 && shown == markdown->options->limit)
            break;
        if (shown++ == 0)
            fputs("\n**Pools that ran short**\n\n", markdown->out);
        put_pool(markdown, pool);
    }
}

void markdown_report(const struct profile *profile, const struct render_options *options, FILE *out)
{
    const struct markdown markdown = {profile, options, out};
    put_verdict(&markdown);
    put_blind(&markdown);
    put_totals(&markdown);
    put_sites(&markdown);
    put_pools(&markdown);
}
