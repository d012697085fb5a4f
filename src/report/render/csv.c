// The report as CSV (RFC 4180): a row for each site, or for each session that is held.
//
// Texts are quoted and stay on one line. One that a spreadsheet would take for a formula gets an
// apostrophe in front. Columns are added at the end and never taken away.
#include <inttypes.h>

#include "report/render/plain.h"
#include "report/render/renderer.h"
#include "report/render/tallies.h"

static const char *escape(char character)
{
    return character == '"' ? "\"\"" : NULL;
}

// Whether a spreadsheet may take the text for a formula, also with the wide forms of these
// characters (U+FF0B, U+FF0D, U+FF1D, U+FF20).
static bool is_formula(const char *text)
{
    static const char *const wide[] = {"\xef\xbc\x8b", "\xef\xbc\x8d", "\xef\xbc\x9d",
                                       "\xef\xbc\xa0"};
    if (*text && strchr("=+-@\t\r\n", *text))
        return true;
    for (size_t i = 0; i < sizeof wide / sizeof wide[0]; i++)
        if (strncmp(text, wide[i], strlen(wide[i])) == 0)
            return true;
    return false;
}

static void put_text(const char *text, FILE *out)
{
    fputs(",\"", out);
    if (text && is_formula(text))
        putc('\'', out);
    plain_print(text, escape, out);
    putc('"', out);
}

static void put_number(uint64_t number, FILE *out)
{
    fprintf(out, ",%" PRIu64, number);
}

static void put_seconds(uint64_t ns, FILE *out)
{
    fprintf(out, ",%" PRIu64 ".%09u", ns / 1000000000, (unsigned)(ns % 1000000000));
}

static void put_frame(const struct frame *frame, FILE *out)
{
    put_text(frame ? frame->file : "", out);
    if (frame && frame->line)
        put_number(frame->line, out);
    else
        putc(',', out);
    put_text(plain_function(frame), out);
    put_text(frame ? frame->module : "", out);
}

// Of several names the most frequent one, and how many there are.
static void put_names(const profile_names *names, FILE *out)
{
    put_text(names->count > 0 ? names->item[0].name : "", out);
    put_number(names->count, out);
}

static void put_pool(const struct profile *profile, const struct profile_pool *pool, FILE *out)
{
    put_text(pool ? profile_pool_name(profile->arena, pool) : "", out);
}

static void put_site(const struct profile *profile, const struct profile_site *site, FILE *out)
{
    const enum finding finding = finding_of(&site->tally);
    fprintf(out, "%s", site->id); // hexadecimal
    fprintf(out, ",%s,%s", profile_kind_name(site->kind),
            finding == FINDINGS ? "" : finding_words[finding].name);
    put_frame(site->name, out);
    for (size_t i = 0; i < tally_column_count; i++)
        put_number(tally_value(&site->tally, &tally_columns[i]), out);
    put_seconds(site->longest_ns, out);
    put_seconds(site->hold_ns, out);
    put_number(site->holds, out);
    put_text(profile_pattern(site), out);
    put_text(profile_code(profile, site->name, site->process->header->directory), out);
    put_text(site->function, out);
    put_pool(profile, site->pool, out);
    put_names(&site->threads, out);
    put_names(&site->tests, out);
    put_names(&site->tasks, out);
    put_names(&site->databases, out);
    fputs("\n", out);
}

void csv_report(const struct profile *profile, const struct render_options *options, FILE *out)
{
    (void)options; // all sites are given
    fputs("site,kind,finding,file,line,function,module", out);
    for (size_t i = 0; i < tally_column_count; i++)
        fprintf(out, ",%s", tally_columns[i].name);
    fputs(",longest_seconds,closed_hold_seconds,closed_holds,pattern,code,acquired_by,pool,thread,"
          "threads,test,tests,task,tasks,database,databases\n",
          out);
    for (size_t i = 0; i < profile->sites.count; i++)
        put_site(profile, profile->sites.item[i], out);
}

static void put_session(const struct profile *profile, const struct profile_session *session,
                        FILE *out)
{
    fprintf(out, "%u,%s,0x%" PRIx64, session->process->header->pid,
            profile_kind_name(session->kind), session->handle);
    put_seconds(session->age_ns, out);
    fprintf(out, ",%s", session->site ? session->site->id : "");
    put_frame(session->site ? session->site->name : NULL, out);
    put_pool(profile, session->pool, out);
    put_number(session->tid, out);
    put_text(session->thread, out);
    put_text(session->test, out);
    put_text(session->task, out);
    put_text(session->database, out);
    put_text(profile_session_condition(session), out);
    fputs("\n", out);
}

void csv_held(const struct profile *profile, const struct render_options *options, FILE *out)
{
    (void)options; // all of them are given
    fputs("pid,kind,handle,age_seconds,site,file,line,function,module,pool,tid,thread,test,task,"
          "database,condition\n",
          out);
    for (size_t i = 0; i < profile->sessions.count; i++)
        if (profile_session_is_listed(profile, profile->sessions.item[i]))
            put_session(profile, profile->sessions.item[i], out);
}
